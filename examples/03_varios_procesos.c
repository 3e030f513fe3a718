/* Sección 3: cuatro procesos a la vez, cada uno con su argumento.
 * Nunca: el join dentro del bucle que arranca; irían de uno en uno.
 * Sigue: 04_valor_y_array.c. */
#include "curso.h"

/* [fragmento: trabajo] */
static int trabajo(const int *i)
{
    printf("Proceso %d trabajando...\n", *i);
    fflush(stdout); /* que se lea ya, aunque la salida vaya a un archivo */
    dormir(0.5);
    printf("Proceso %d terminado\n", *i);
    return 0;
}
YUNTA_ENTRY(trabajo, int); /* recibe una copia de un int */
/* [fin] */

int main(int argc, char **argv)
{
    yunta_init(argc, argv);
    elegir_metodo();
    double antes = segundos();

    /* [fragmento: bucles] */
    yunta_process *procesos[4];
    for (int i = 0; i < 4; i++)
        comprobar(yunta_start(&procesos[i], trabajo, &i, NULL), "arrancar un proceso");

    for (int i = 0; i < 4; i++) {
        comprobar(yunta_process_join(procesos[i], YUNTA_FOREVER), "esperar a un proceso");
        yunta_process_destroy(procesos[i]);
    }
    /* [fin] */

    printf("Los cuatro juntos: %.1f s (uno tras otro serían 2.0 s)\n", segundos() - antes);
    return 0;
}
