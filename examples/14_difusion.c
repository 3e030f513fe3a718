/* Más allá del curso: difusión. Uno publica, y todos los suscritos lo reciben todo, en el mismo orden.
 * Nunca: publicar antes de que se hayan suscrito, si no se quiere que se pierdan el principio.
 * Sigue: include/yunta/topic.h, que lo cuenta todo. */
#include "curso.h"

enum { OYENTES = 2, NOTICIAS = 3 };

/* [fragmento: oir] */
struct emisora {
    yunta_topic *noticias; /* vive en memoria compartida: basta pasar el puntero */
    yunta_semaphore *listos;
};

static int oir(const struct emisora *e)
{
    yunta_subscription *mia;
    int noticia, suma = 0, r;
    size_t tamano;
    comprobar(yunta_topic_subscribe(e->noticias, &mia), "suscribirse");
    comprobar(yunta_semaphore_release(e->listos), "decir que ya oye");
    while ((r = yunta_topic_receive(mia, &noticia, sizeof noticia, &tamano, NULL, YUNTA_FOREVER)) == 0)
        suma += noticia;
    return r == YUNTA_ECLOSED ? suma : 255;
}
YUNTA_ENTRY(oir, struct emisora);
/* [fin] */

int main(int argc, char **argv)
{
    yunta_init(argc, argv);
    elegir_metodo();
    /* [fragmento: emitir] */
    struct emisora e;
    yunta_process *p[OYENTES];
    comprobar(yunta_topic_create(&e.noticias, &(yunta_topic_options){.lossless = true}), "crear la emisora");
    comprobar(yunta_semaphore_create(&e.listos, &(yunta_semaphore_options){.unowned = true}), "crear el semáforo");
    for (int i = 0; i < OYENTES; i++)
        comprobar(yunta_start(&p[i], oir, &e, NULL), "arrancar un oyente");
    for (int i = 0; i < OYENTES; i++)
        comprobar(yunta_semaphore_acquire(e.listos, YUNTA_FOREVER), "esperar a un oyente");
    for (int i = 1; i <= NOTICIAS; i++)
        comprobar(yunta_topic_publish(e.noticias, &i, sizeof i, YUNTA_FOREVER), "publicar");
    comprobar(yunta_topic_close(e.noticias), "cerrar");
    for (int i = 0; i < OYENTES; i++)
        printf("El oyente %d suma %d\n", i + 1, yunta_process_join(p[i], YUNTA_FOREVER));
    /* [fin] */
    for (int i = 0; i < OYENTES; i++)
        yunta_process_destroy(p[i]);
    yunta_semaphore_destroy(e.listos);
    yunta_topic_destroy(e.noticias);
    return 0;
}
