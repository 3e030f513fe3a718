/* Fake: ten processes that do nothing, while the main program writes.
 * marks: ✔✔✘✔
 * says: la escribe el programa principal */
#define array_de_cuadrados array_de_cuadrados_de_la_solucion
#include "solucion/08_solucion.c"
#undef array_de_cuadrados

static int nada(void)
{
    return 0;
}
YUNTA_ENTRY_VOID(nada);

int *array_de_cuadrados(void)
{
    int *arr = yunta_shared(int, ESCRITORES);
    for (int i = 0; i < ESCRITORES; i++) {
        yunta_process *p;
        comprobar(yunta_start(&p, nada, NULL, NULL), "arrancar un proceso");
        arr[i] = i * i;
        yunta_process_join(p, YUNTA_FOREVER);
        yunta_process_destroy(p);
    }
    return arr;
}
