/* Sección 6: cálculo intensivo. Contar primos, lento a propósito, en serie, con hilos y con procesos.
 * Nunca: sacar conclusiones de 300 números; arrancar el pool cuesta más que contarlos.
 * Sigue: 07_cola.c. */
#include "curso.h"

/* [fragmento: es_primo] */
static int es_primo(const int *n, int *primo)
{
    *primo = *n >= 2;
    for (int i = 2; *primo && i * i <= *n; i++)
        if (*n % i == 0)
            *primo = 0;
    return 0;
}
YUNTA_TASK(es_primo, int, int);
/* [fin] */

enum { TRABAJADORES = 4 };

/* [fragmento: contar] */
/* sum(p.map(es_primo, numeros)) */
static int contar_con_pool(yunta_start_method metodo, const int *numeros, int *primos, size_t cuantos)
{
    yunta_pool *pool;
    yunta_pool_options opciones = {.workers = TRABAJADORES, .start_method = metodo};
    comprobar(yunta_pool_create(&pool, &opciones), "crear el pool");
    comprobar(yunta_map(pool, es_primo, numeros, primos, cuantos), "buscar los primos");
    yunta_pool_destroy(pool);

    int suma = 0;
    for (size_t i = 0; i < cuantos; i++)
        suma += primos[i];
    return suma;
}
/* [fin] */

static int contar_en_serie(const int *numeros, int *primos, size_t cuantos)
{
    int suma = 0;
    for (size_t i = 0; i < cuantos; i++) {
        es_primo(&numeros[i], &primos[i]);
        suma += primos[i];
    }
    return suma;
}

/* Cuenta los primos de [desde, hasta) de las tres maneras, y compara. */
static void comparar(int desde, int hasta)
{
    /* [fragmento: compartida] */
    size_t cuantos = (size_t)(hasta - desde);
    int *numeros = yunta_shared(int, cuantos); /* en memoria compartida, map no copia nada */
    int *primos = yunta_shared(int, cuantos);
    comprobar(numeros && primos ? 0 : -ENOMEM, "pedir memoria compartida");
    for (size_t i = 0; i < cuantos; i++)
        numeros[i] = desde + (int)i;
    /* [fin] */

    /* [fragmento: medir] */
    double t0 = segundos();
    int en_serie = contar_en_serie(numeros, primos, cuantos);
    double t1 = segundos();
    int con_hilos = contar_con_pool(YUNTA_THREAD, numeros, primos, cuantos);
    double t2 = segundos();
    int con_procesos = contar_con_pool(YUNTA_DEFAULT, numeros, primos, cuantos);
    double t3 = segundos();
    /* [fin] */
    yunta_shared_free(numeros);
    yunta_shared_free(primos);

    printf("Primos de %d a %d: %d\n", desde, hasta - 1, en_serie);
    printf("  en serie:   %10.3f ms\n", (t1 - t0) * 1e3);
    printf("  %d hilos:    %10.3f ms, aceleración ×%.3f\n", TRABAJADORES, (t2 - t1) * 1e3, (t1 - t0) / (t2 - t1));
    printf("  %d procesos: %10.3f ms, aceleración ×%.3f\n", TRABAJADORES, (t3 - t2) * 1e3, (t1 - t0) / (t3 - t2));
    if (con_hilos != en_serie || con_procesos != en_serie) {
        printf("  ¡No coinciden! %d con hilos, %d con procesos\n", con_hilos, con_procesos);
        exit(EXIT_FAILURE);
    }
}

int main(int argc, char **argv)
{
    yunta_init(argc, argv);
    elegir_metodo();
    printf("Núcleos disponibles: %d (más trabajadores que núcleos no aceleran más)\n\n", yunta_cpu_count());

    comparar(10000, 10300); /* los del cuaderno: tan pocos que el pool ni compensa */
    printf("\n");
    comparar(5000000, 8000000); /* aquí sí */

    printf("\nEn C no hay GIL y los hilos también aceleran; los procesos, además, resisten fallos (sección 1).\n");
    return 0;
}
