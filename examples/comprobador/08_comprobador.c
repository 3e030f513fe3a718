/* Sección 8: corrige el ejercicio. Se enlaza con el archivo del alumno, llama a sus cuatro funciones y dice qué falta.
 * Nunca: dar por bueno un resultado sin ver que lo hicieron otros procesos; eso lo mira vigilancia.c.
 * Sigue: vigilancia.h. */
#include "../curso.h"
#include "../08_ejercicio.h"
#include "vigilancia.h"
#include <gmp.h>
#include <stdarg.h>

enum { LIMITE_MS = 10000 }; /* para cada objetivo: de sobra para quien no se queda colgado */
enum { SIN_TOCAR = '?' };   /* lo que hay en el texto de un resultado antes de calcularlo */

/* En memoria compartida: cada objetivo se examina en un proceso aparte, que puede morir o colgarse. */
struct veredicto {
    bool bien;
    char texto[640];
};

struct examen {
    int objetivo;
    struct veredicto *veredicto;
};

static void decir(struct veredicto *v, bool bien, const char *formato, ...) YUNTA_PRINTF(3, 4);

static void decir(struct veredicto *v, bool bien, const char *formato, ...)
{
    va_list resto;
    va_start(resto, formato);
    v->bien = bien;
    vsnprintf(v->texto, sizeof(v->texto), formato, resto);
    va_end(resto);
}

static const char *error_de(int codigo)
{
    static char texto[160];
    const char *nombre = yunta_error_name(codigo);
    snprintf(texto, sizeof(texto), "%s (%s)", nombre ? nombre : "un código desconocido", yunta_strerror(codigo));
    return texto;
}

/* ¿Son las cifras de n!, calculado por otro camino? Si no, lo dice. */
static bool es_el_factorial(int n, const struct cifras *hay, struct veredicto *v)
{
    static struct cifras debe;
    mpz_t f;
    mpz_init(f);
    mpz_fac_ui(f, (unsigned long)n);
    gmp_snprintf(debe.texto, sizeof(debe.texto), "%Zd", f);
    mpz_clear(f);

    if (hay->texto[0] == SIN_TOCAR)
        decir(v, false, "para %d no escribe nada en resultado->texto.", n);
    else if (!memchr(hay->texto, '\0', sizeof(hay->texto)))
        decir(v, false, "el texto de %d! no acaba en '\\0'.", n);
    else if (strcmp(hay->texto, debe.texto) == 0)
        return true;
    else if (n <= 20)
        decir(v, false, "%d! debería ser %s y sale «%.40s».", n, debe.texto, hay->texto);
    else
        decir(v, false,
              "%d! debería empezar por %.12s y tener %zu cifras, y sale «%.40s». ¿Lo calculas con GMP (mpz_t)?", n,
              debe.texto, strlen(debe.texto), hay->texto);
    return false;
}

static void examinar_factorial(struct veredicto *v)
{
    const int numeros[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 20, 21, 25, 50, 100, 200, 400};
    for (size_t i = 0; i < sizeof(numeros) / sizeof(numeros[0]); i++) {
        static struct cifras resultado;
        memset(&resultado, SIN_TOCAR, sizeof(resultado));
        int codigo = factorial(&numeros[i], &resultado);
        if (codigo == -ENOSYS) {
            decir(v, false, "sin hacer: todavía devuelve -ENOSYS.");
            return;
        }
        if (codigo < 0) {
            decir(v, false, "para %d devuelve el error %s.", numeros[i], error_de(codigo));
            return;
        }
        if (!es_el_factorial(numeros[i], &resultado, v))
            return;
    }
    decir(v, true, "calcula bien de 0! a 400!");
}

/* Un map de diez números: ¿se hizo en un pool de procesos, y salió bien? */
static bool hace_bien_el_map(const int *numeros, size_t cuantos, struct veredicto *v)
{
    struct cifras *resultados = malloc(cuantos * sizeof(*resultados));
    comprobar(resultados ? 0 : -ENOMEM, "pedir memoria");
    memset(resultados, SIN_TOCAR, cuantos * sizeof(*resultados));
    vigilar(VIGILAR_POOL);
    int codigo = factoriales(numeros, resultados, cuantos);
    const struct informe *visto = dejar_de_vigilar();

    bool bien = false;
    if (visto->maps == 0 && codigo == -ENOSYS)
        decir(v, false, "sin hacer: todavía devuelve -ENOSYS.");
    else if (visto->maps == 0)
        decir(v, false, "no llama a yunta_map: los factoriales no los calcula un pool.");
    else if (visto->mayor_map < cuantos)
        decir(v, false, "el map más grande es de %zu números, y había que hacer %zu de una vez.", visto->mayor_map,
              cuantos);
    else if (visto->pools_de_hilos > 0)
        decir(v, false, "el pool es de hilos (YUNTA_THREAD), y se pedían procesos.");
    else if (visto->error_de_map < 0)
        decir(v, false, "el pool reparte el trabajo, pero yunta_map dice %s. ¿Está bien el objetivo 1?",
              error_de(visto->error_de_map));
    else if (codigo < 0)
        decir(v, false, "yunta_map salió bien, pero la función devuelve %s.", error_de(codigo));
    else if (visto->pools_destruidos < visto->pools)
        decir(v, false, "casi: falta yunta_pool_destroy al acabar.");
    else
        bien = true;
    for (size_t i = 0; bien && i < cuantos; i++)
        bien = es_el_factorial(numeros[i], &resultados[i], v);
    free(resultados);
    return bien;
}

static void examinar_map(struct veredicto *v)
{
    const int primeros[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    const int revueltos[] = {50, 3, 100, 0, 21, 7, 25, 12, 64, 30};
    if (hace_bien_el_map(primeros, 10, v) && hace_bien_el_map(revueltos, 10, v))
        decir(v, true, "diez factoriales de una vez, con un pool de procesos y en orden.");
}

/* Lo que se pide igual en los objetivos 3 y 4: tantos procesos, que acaben bien, y esperarlos. */
static bool procesos_bien(const struct informe *visto, int pedidos, struct veredicto *v)
{
    if (visto->procesos < pedidos)
        decir(v, false, "se pedían %d procesos, y arranca %d.", pedidos, visto->procesos);
    else if (visto->mal_acabados > 0)
        decir(v, false, "%d de sus procesos acaban mal: %s.", visto->mal_acabados,
              visto->estado_malo < 0 ? error_de(visto->estado_malo) : "devuelven algo que no es 0");
    else if (visto->esperados < visto->procesos)
        decir(v, false, "casi: arranca %d procesos y solo espera (yunta_process_join) a %d.", visto->procesos,
              visto->esperados);
    else
        return true;
    return false;
}

static void examinar_array(struct veredicto *v)
{
    vigilar(VIGILAR_PROCESOS);
    int *arr = array_de_cuadrados();
    const struct informe *visto = dejar_de_vigilar();
    if (!arr && visto->procesos == 0) {
        decir(v, false, "sin hacer: todavía devuelve NULL.");
        return;
    }
    if (yunta_shared_size(arr) < ESCRITORES * sizeof(*arr)) {
        decir(v, false, "lo que devuelve no es un array compartido de %d enteros: pídelo con yunta_shared.",
              ESCRITORES);
        return;
    }
    if (!procesos_bien(visto, ESCRITORES, v))
        return;
    for (int i = 0; i < ESCRITORES; i++) {
        if (arr[i] != i * i) {
            decir(v, false, "en la posición %d debería haber %d, y hay %d.", i, i * i, arr[i]);
            return;
        }
        if (i > 0 && !escrito_por_procesos(&arr[i], sizeof(arr[i]))) {
            decir(v, false, "la posición %d no la escribe ningún proceso: la escribe el programa principal.", i);
            return;
        }
    }
    decir(v, true, "diez procesos escriben los cuadrados en un array compartido.");
}

/* Saca los mensajes: ¿está "Proceso i listo" de cada i, y nada más? */
static bool mensajes_bien(yunta_queue *q, struct veredicto *v)
{
    bool llego[MENSAJEROS] = {false};
    for (int cuantos = 0; cuantos < MENSAJEROS; cuantos++) {
        struct mensaje m, debe;
        if (yunta_queue_get(q, &m, 0) < 0) {
            decir(v, false, "en la cola debería haber %d mensajes, y hay %d.", MENSAJEROS, cuantos);
            return false;
        }
        if (!memchr(m.texto, '\0', sizeof(m.texto))) {
            decir(v, false, "hay un mensaje cuyo texto no acaba en '\\0'.");
            return false;
        }
        int i = 0;
        do
            snprintf(debe.texto, sizeof(debe.texto), "Proceso %d listo", i);
        while (strcmp(m.texto, debe.texto) != 0 && ++i < MENSAJEROS);
        if (i == MENSAJEROS || llego[i]) {
            decir(v, false, "el mensaje «%s» %s.", m.texto, i == MENSAJEROS ? "no es de los pedidos" : "está repetido");
            return false;
        }
        llego[i] = true;
    }
    if (!yunta_queue_is_empty(q))
        decir(v, false, "en la cola sobran mensajes: deberían ser %d.", MENSAJEROS);
    return yunta_queue_is_empty(q);
}

static void examinar_cola(struct veredicto *v)
{
    vigilar(VIGILAR_PROCESOS);
    yunta_queue *q = cola_de_mensajes();
    const struct informe *visto = dejar_de_vigilar();
    if (!q && visto->procesos == 0)
        decir(v, false, "sin hacer: todavía devuelve NULL.");
    else if (!q)
        decir(v, false, "tiene que devolver la cola, y devuelve NULL.");
    else if (bytes_por_mensaje(q) != sizeof(struct mensaje))
        decir(v, false, "la cola tiene que ser de struct mensaje: créala con .item_size = sizeof(struct mensaje).");
    else if (!procesos_bien(visto, MENSAJEROS, v))
        return;
    else if (yunta_queue_is_empty(q))
        decir(v, false, "la cola vuelve vacía: los mensajes se quedan dentro, ya los saca el programa principal.");
    else if (mensajes_de_procesos(q) < MENSAJEROS)
        decir(v, false, "de los mensajes, solo %d los ponen los procesos; el resto, el programa principal.",
              mensajes_de_procesos(q));
    else if (mensajes_bien(q, v))
        decir(v, true, "recoge los mensajes de cinco procesos.");
}

static int examinar(const struct examen *e)
{
    void (*const examenes[])(struct veredicto *) = {examinar_factorial, examinar_map, examinar_array, examinar_cola};
    examenes[e->objetivo](e->veredicto);
    return 0;
}
YUNTA_ENTRY(examinar, struct examen);

/* Examina un objetivo en un proceso, que si se cuelga o muere no arrastra a los demás: para eso están. */
static void corregir(int objetivo, struct veredicto *v)
{
    struct examen e = {objetivo, v};
    yunta_process *p;
    decir(v, false, "tu código termina el proceso (exit) antes de acabar.");
    yunta_process_options opciones = {.out = {YUNTA_NULL, 0}};
    comprobar(yunta_start(&p, examinar, &e, &opciones), "arrancar el examen");

    int estado = yunta_process_join(p, LIMITE_MS);
    yunta_failure causa;
    if (estado == -ETIMEDOUT)
        decir(v, false, "no termina: a los %d segundos seguía en marcha.", LIMITE_MS / 1000);
    else if (estado == YUNTA_ECRASHED && yunta_process_failure(p, &causa) == 0)
        decir(v, false, "tu código muere: señal %d%s.", causa.signal, causa.signal == 11 ? " (SIGSEGV)" : "");
    yunta_process_destroy(p);
}

int main(int argc, char **argv)
{
    static const char *const titulos[] = {"la función factorial", "factoriales con un pool", "un array compartido",
                                          "una cola de mensajes"};
    yunta_init(argc, argv);
    struct veredicto *v = yunta_shared(struct veredicto, 4);
    comprobar(v ? 0 : -ENOMEM, "pedir memoria compartida");

    int faltan = 0;
    for (int i = 0; i < 4; i++) {
        corregir(i, &v[i]);
        printf("%s Objetivo %d, %s: %s\n", v[i].bien ? "✔" : "✘", i + 1, titulos[i], v[i].texto);
        faltan += !v[i].bien;
    }
    if (faltan == 0)
        printf("\n¡Enhorabuena! Están los cuatro objetivos.\n");
    else
        printf("\n%s %d de 4 objetivos.\n", faltan == 1 ? "Falta" : "Faltan", faltan);
    yunta_shared_free(v);
    return faltan == 0 ? 0 : 1;
}
