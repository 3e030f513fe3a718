/* Sección 2: crear un proceso, esperarlo y seguir.
 * Nunca: trabajar antes de yunta_init; con spawn, ese trabajo se repetiría en cada hijo.
 * Sigue: 03_varios_procesos.c. */
#include "curso.h"

/* [fragmento: tarea] */
static int tarea(void)
{
    printf("Proceso iniciado\n");
    dormir(1);
    printf("Proceso terminado\n");
    return 0; /* el estado de salida: 0 quiere decir «todo bien» */
}
YUNTA_ENTRY_VOID(tarea); /* a partir de aquí, `tarea` puede ser un proceso */
/* [fin] */

/* [fragmento: main] */
int main(int argc, char **argv)
{
    yunta_init(argc, argv);
    elegir_metodo();

    yunta_process *p;
    comprobar(yunta_start(&p, tarea, NULL, NULL), "arrancar el proceso");
    int estado = comprobar(yunta_process_join(p, YUNTA_FOREVER), "esperar al proceso");
    yunta_process_destroy(p);
    printf("Fin del programa principal\n");
    return estado;
}
/* [fin] */
