/* The processes write, but nobody waits for them.
 * marks: ✔✔✘✔
 * says: solo espera (yunta_process_join) a 0 */
#define array_de_cuadrados array_de_cuadrados_de_la_solucion
#include "solucion/08_solucion.c"
#undef array_de_cuadrados

int *array_de_cuadrados(void)
{
    int *arr = yunta_shared(int, ESCRITORES);
    for (int i = 0; i < ESCRITORES; i++) {
        yunta_process *p;
        struct casilla c = {i, arr};
        comprobar(yunta_start(&p, escribir, &c, NULL), "arrancar un proceso");
    }
    return arr;
}
