/* Sección 1: hilos y procesos. El mismo cálculo en serie, con hilos y con procesos; y lo que los distingue de verdad.
 * Nunca: creer que en C los hilos están atados a un GIL. No lo hay: lo que separa a unos de otros es la memoria.
 * Sigue: 02_proceso.c. */
#include "curso.h"
#include <signal.h>

enum { TRABAJADORES = 4 };

/* [fragmento: pasos] */
enum { BLOQUES = 64, POR_BLOQUE = 100000 };

/* Cálculo puro: los pasos que dan, en total, los números de un bloque hasta llegar a 1 (la conjetura de Collatz). */
static int pasos(const int *bloque, long long *total)
{
    long long primero = (long long)*bloque * POR_BLOQUE + 1;
    long long cuenta = 0;
    for (long long inicio = primero; inicio < primero + POR_BLOQUE; inicio++)
        for (long long n = inicio; n != 1; n = n % 2 == 0 ? n / 2 : 3 * n + 1)
            cuenta++;
    *total = cuenta;
    return 0; /* 0 o más: la tarea fue bien */
}
YUNTA_TASK(pasos, int, long long);
/* [fin] */

/* [fragmento: medir] */
/* Segundos que tarda un pool en hacer todos los bloques, crearlo y cerrarlo incluidos. */
static double medir(yunta_start_method metodo, const int *bloques, long long *totales)
{
    double antes = segundos();
    yunta_pool *pool;
    yunta_pool_options opciones = {.workers = TRABAJADORES, .start_method = metodo};
    comprobar(yunta_pool_create(&pool, &opciones), "crear el pool");
    comprobar(yunta_map(pool, pasos, bloques, totales, BLOQUES), "repartir los bloques");
    yunta_pool_destroy(pool);
    return segundos() - antes;
}
/* [fin] */

static void comparar_tiempos(void)
{
    int bloques[BLOQUES];
    long long en_serie[BLOQUES], con_hilos[BLOQUES], con_procesos[BLOQUES];
    for (int i = 0; i < BLOQUES; i++)
        bloques[i] = i;

    /* [fragmento: comparar] */
    double antes = segundos();
    for (int i = 0; i < BLOQUES; i++)
        pasos(&bloques[i], &en_serie[i]); /* una tarea es una función de C como otra cualquiera */
    double serie = segundos() - antes;
    double hilos = medir(YUNTA_THREAD, bloques, con_hilos);
    double procesos = medir(YUNTA_DEFAULT, bloques, con_procesos);
    /* [fin] */

    printf("Pasos de Collatz de los números 1 a %d (%d núcleos disponibles)\n", BLOQUES * POR_BLOQUE,
           yunta_cpu_count());
    printf("  en serie:   %5.2f s\n", serie);
    printf("  %d hilos:    %5.2f s, aceleración ×%.2f\n", TRABAJADORES, hilos, serie / hilos);
    printf("  %d procesos: %5.2f s, aceleración ×%.2f\n", TRABAJADORES, procesos, serie / procesos);

    bool iguales =
        memcmp(en_serie, con_hilos, sizeof(en_serie)) == 0 && memcmp(en_serie, con_procesos, sizeof(en_serie)) == 0;
    printf("¿Dan los tres el mismo resultado? %s\n", iguales ? "Sí" : "No");
    if (!iguales)
        exit(EXIT_FAILURE);
}

/* [fragmento: memoria] */
static int variable = 1; /* una variable global corriente */

static int cambiar(const int *valor, int *visto)
{
    variable = *valor;
    *visto = variable;
    return 0;
}
YUNTA_TASK(cambiar, int, int);
/* [fin] */

/* La cambia un trabajador; ¿lo nota el programa principal? */
static void cambiar_desde(yunta_start_method metodo, const char *quien)
{
    yunta_pool *pool;
    int valor = 7, visto;
    variable = 1;
    comprobar(yunta_pool_create(&pool, &(yunta_pool_options){.workers = 1, .start_method = metodo}), "crear el pool");
    comprobar(yunta_map(pool, cambiar, &valor, &visto, 1), "cambiar la variable");
    yunta_pool_destroy(pool);
    printf("  %s la pone a %d; el programa principal ve %d\n", quien, visto, variable);
}

/* [fragmento: fragil] */
enum { TAREAS = 10, LA_MALA = 3 };

/* Una tarea con un error: la número 3 escribe a través de un puntero nulo. */
static int fragil(const int *i, int *resultado)
{
    volatile int *volatile nulo = NULL; /* volatile: que el compilador no se entere */
    if (*i == LA_MALA)
        *nulo = 1; /* violación de segmento: SIGSEGV */
    *resultado = *i * 10;
    return 0;
}
YUNTA_TASK(fragil, int, int);
/* [fin] */

static const int entradas[TAREAS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

/* [fragmento: hilos] */
/* Un programa entero hecho con hilos. Se ejecuta en un proceso aparte, para poder contar cómo acaba. */
static int programa_con_hilos(void)
{
    int resultados[TAREAS];
    yunta_pool *pool;
    yunta_pool_options opciones = {.workers = TRABAJADORES, .start_method = YUNTA_THREAD};
    comprobar(yunta_pool_create(&pool, &opciones), "crear el pool de hilos");
    yunta_map(pool, fragil, entradas, resultados, TAREAS);
    printf("esto no llega a imprimirse\n");
    yunta_pool_destroy(pool);
    return 0;
}
YUNTA_ENTRY_VOID(programa_con_hilos);
/* [fin] */

static const char *nombre_de(int senal)
{
    return senal == SIGSEGV ? "SIGSEGV" : "otra señal";
}

/* [fragmento: fallo-hilos] */
static void fallar_con_hilos(void)
{
    yunta_process *programa;
    comprobar(yunta_start(&programa, programa_con_hilos, NULL, NULL), "arrancar el programa con hilos");
    int estado = yunta_process_join(programa, YUNTA_FOREVER);
    yunta_failure causa;
    comprobar(yunta_process_failure(programa, &causa), "preguntar cómo acabó");
    yunta_process_destroy(programa);
    if (estado != YUNTA_ECRASHED) {
        printf("  Con hilos: el programa acabó con el estado %d, y debía morir\n", estado);
        exit(EXIT_FAILURE);
    }
    printf("  Con hilos: murió el programa entero (señal %d, %s)\n", causa.signal, nombre_de(causa.signal));
}
/* [fin] */

/* [fragmento: fallo-procesos] */
static void fallar_con_procesos(void)
{
    int resultados[TAREAS] = {0};
    yunta_failure fallos[TAREAS] = {0};
    size_t fallidas = 0;
    yunta_map_options opciones = {.failures = fallos, .failure_capacity = TAREAS, .failure_count = &fallidas};

    yunta_pool *pool;
    comprobar(yunta_pool_create(&pool, &(yunta_pool_options){.workers = TRABAJADORES}), "crear el pool");
    int codigo = yunta_map_with(pool, fragil, entradas, resultados, TAREAS, &opciones);
    yunta_pool_destroy(pool);

    if (codigo != YUNTA_ECRASHED || fallidas != 1)
        comprobar(codigo < 0 ? codigo : -EIO, "hacer fallar una sola tarea");
    printf("  Con procesos: falló solo la tarea %d (señal %d, %s)\n", (int)fallos[0].index, fallos[0].signal,
           nombre_de(fallos[0].signal));
    printf("  Las otras %d terminaron:", TAREAS - (int)fallidas);
    for (int i = 0; i < TAREAS; i++)
        if (i != (int)fallos[0].index)
            printf(" %d", resultados[i]);
    printf("\n");
}
/* [fin] */

int main(int argc, char **argv)
{
    yunta_init(argc, argv); /* lo primero de todo: lo necesitan spawn y forkserver */
    elegir_metodo();

    comparar_tiempos();
    printf("\nC no tiene GIL: los hilos aceleran tanto como los procesos. ¿Qué aportan entonces los procesos?\n");

    printf("\nMemoria propia. Una variable global vale 1, y un trabajador la cambia:\n");
    cambiar_desde(YUNTA_THREAD, "un hilo");
    cambiar_desde(YUNTA_DEFAULT, "un proceso");

    printf("\nProtección. De %d tareas, la %d escribe a través de un puntero nulo:\n", TAREAS, LA_MALA);
    fallar_con_hilos();
    fallar_con_procesos();
    return 0;
}
