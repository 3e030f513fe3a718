/* Fake: an ordinary array.
 * marks: ✔✔✘✔
 * says: no es un array compartido */
#define array_de_cuadrados array_de_cuadrados_de_la_solucion
#include "solucion/08_solucion.c"
#undef array_de_cuadrados

int *array_de_cuadrados(void)
{
    static int arr[ESCRITORES];
    for (int i = 0; i < ESCRITORES; i++)
        arr[i] = i * i;
    return arr;
}
