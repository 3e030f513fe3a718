/* Only the first objective is done.
 * marks: ✔✘✘✘
 * says: Faltan 3 de 4 */
#define factoriales factoriales_de_la_solucion
#define array_de_cuadrados array_de_cuadrados_de_la_solucion
#define cola_de_mensajes cola_de_mensajes_de_la_solucion
#include "solucion/08_solucion.c"
#undef factoriales
#undef array_de_cuadrados
#undef cola_de_mensajes

int factoriales(const int *numeros, struct cifras *resultados, size_t cuantos)
{
    (void)numeros;
    (void)resultados;
    (void)cuantos;
    return -ENOSYS;
}

int *array_de_cuadrados(void)
{
    return NULL;
}

yunta_queue *cola_de_mensajes(void)
{
    return NULL;
}
