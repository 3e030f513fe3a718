/* It waits for ever.
 * marks: ✔✔✔✘
 * says: no termina */
#define cola_de_mensajes cola_de_mensajes_de_la_solucion
#include "solucion/08_solucion.c"
#undef cola_de_mensajes

yunta_queue *cola_de_mensajes(void)
{
    yunta_queue *q;
    struct mensaje m;
    comprobar(yunta_queue_create(&q, &(yunta_queue_options){.item_size = sizeof(struct mensaje)}), "crear la cola");
    yunta_queue_get(q, &m, YUNTA_FOREVER); /* nobody will put */
    return q;
}
