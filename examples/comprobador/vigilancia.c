/* Vigilancia: las llamadas del alumno a yunta pasan por aquí (__wrap_…) camino de la función verdadera (__real_…).
 * Nunca: fiarse de lo que dice el código del alumno; solo de lo que hacen sus procesos.
 * Sigue: 08_comprobador.c, que juzga lo visto. */
#include "../curso.h"
#include "vigilancia.h"

enum { PACIENCIA_MS = 3000 }; /* lo que se espera a un proceso antes de dejar seguir a quien lo arrancó */

/* Un bloque de memoria compartida, una cola o un proceso, desde que lo crea el alumno hasta que lo destruye (un
 * proceso, hasta el final: hay que contarlos). */
enum clase { BLOQUE, COLA, PROCESO };

struct objeto {
    enum clase clase;
    void *puntero;
    size_t bytes;           /* de un bloque */
    unsigned char *antes;   /* su contenido antes de arrancar el proceso que corre */
    unsigned char *tocados; /* 1 en cada byte que cambió mientras corría un proceso */
    size_t por_mensaje;     /* de una cola: el item_size con que se creó */
    size_t habia;           /* mensajes de una cola antes de arrancarlo */
    int puestos;            /* … y los que entraron mientras corría */
    bool esperado;          /* un proceso: el alumno lo esperó */
    struct objeto *siguiente;
};

static enum que_vigilar vigilando;
static struct informe visto;
static struct objeto *objetos;

/* La verdadera y el desvío, con el tipo que les da yunta.h. */
#define DESVIADA(funcion) __typeof__(funcion) __real_##funcion, __wrap_##funcion
DESVIADA(yunta_pool_create);
DESVIADA(yunta_pool_destroy);
DESVIADA(yunta_pool_map);
DESVIADA(yunta_shared_alloc);
DESVIADA(yunta_shared_create);
DESVIADA(yunta_shared_free);
DESVIADA(yunta_queue_create);
DESVIADA(yunta_queue_destroy);
DESVIADA(yunta_process_start);
DESVIADA(yunta_process_join);

static void *pedir(size_t bytes)
{
    void *memoria = calloc(1, bytes > 0 ? bytes : 1);
    comprobar(memoria ? 0 : -ENOMEM, "pedir memoria");
    return memoria;
}

static struct objeto *apuntar(enum clase clase, void *puntero)
{
    struct objeto *nuevo = pedir(sizeof(*nuevo));
    *nuevo = (struct objeto){.clase = clase, .puntero = puntero, .siguiente = objetos};
    objetos = nuevo;
    return nuevo;
}

static void borrar(struct objeto **enlace)
{
    struct objeto *o = *enlace;
    *enlace = o->siguiente;
    free(o->antes);
    free(o->tocados);
    free(o);
}

static void olvidar(enum clase clase, const void *puntero)
{
    for (struct objeto **enlace = &objetos; *enlace; enlace = &(*enlace)->siguiente) {
        if ((*enlace)->clase == clase && (*enlace)->puntero == puntero) {
            borrar(enlace);
            return;
        }
    }
}

static void apuntar_bloque(void *memoria, size_t bytes)
{
    struct objeto *bloque = apuntar(BLOQUE, memoria);
    bloque->bytes = bytes;
    bloque->antes = pedir(bytes);
    bloque->tocados = pedir(bytes);
}

void vigilar(enum que_vigilar que)
{
    visto = (struct informe){0};
    while (objetos)
        borrar(&objetos);
    vigilando = que;
}

const struct informe *dejar_de_vigilar(void)
{
    vigilando = VIGILAR_NADA;
    visto.esperados = 0;
    for (const struct objeto *o = objetos; o; o = o->siguiente)
        visto.esperados += o->clase == PROCESO && o->esperado;
    return &visto;
}

bool escrito_por_procesos(const void *donde, size_t bytes)
{
    for (const struct objeto *o = objetos; o; o = o->siguiente) {
        ptrdiff_t desde = (const unsigned char *)donde - (const unsigned char *)o->puntero;
        if (o->clase != BLOQUE || desde < 0 || (size_t)desde + bytes > o->bytes)
            continue;
        return memchr(o->tocados + desde, 1, bytes) != NULL;
    }
    return false;
}

int mensajes_de_procesos(const yunta_queue *q)
{
    for (const struct objeto *o = objetos; o; o = o->siguiente)
        if (o->clase == COLA && o->puntero == q)
            return o->puestos;
    return 0;
}

size_t bytes_por_mensaje(const yunta_queue *q)
{
    for (const struct objeto *o = objetos; o; o = o->siguiente)
        if (o->clase == COLA && o->puntero == q)
            return o->por_mensaje;
    return 0;
}

/* Antes de que corra un proceso, y después: lo que cambia entre una y otra es cosa suya. */
static void retratar(void)
{
    for (struct objeto *o = objetos; o; o = o->siguiente) {
        if (o->clase == BLOQUE)
            memcpy(o->antes, o->puntero, o->bytes);
        else if (o->clase == COLA)
            o->habia = yunta_queue_size(o->puntero);
    }
}

static void comparar_con_el_retrato(void)
{
    for (struct objeto *o = objetos; o; o = o->siguiente) {
        const unsigned char *ahora = o->puntero;
        for (size_t i = 0; i < o->bytes; i++)
            o->tocados[i] |= ahora[i] != o->antes[i];
        if (o->clase == COLA && yunta_queue_size(o->puntero) > o->habia)
            o->puestos += (int)(yunta_queue_size(o->puntero) - o->habia);
    }
}

int __wrap_yunta_process_start(yunta_process **process, const yunta_entry *entry, const void *argument, size_t size,
                               const yunta_process_options *options)
{
    if (vigilando != VIGILAR_PROCESOS)
        return __real_yunta_process_start(process, entry, argument, size, options);
    retratar();
    int codigo = __real_yunta_process_start(process, entry, argument, size, options);
    if (codigo < 0)
        return codigo;
    visto.procesos++;
    int estado = __real_yunta_process_join(*process, PACIENCIA_MS);
    if (estado != 0 && estado != -ETIMEDOUT) {
        visto.mal_acabados++;
        visto.estado_malo = estado;
    }
    comparar_con_el_retrato();
    apuntar(PROCESO, *process);
    return codigo;
}

/* El último apuntado con ese puntero: tras destruir un proceso, otro puede estrenar su sitio. */
int __wrap_yunta_process_join(yunta_process *process, int milliseconds)
{
    int estado = __real_yunta_process_join(process, milliseconds);
    struct objeto *o = objetos;
    while (o && !(o->clase == PROCESO && o->puntero == process))
        o = o->siguiente;
    if (o && vigilando == VIGILAR_PROCESOS && estado != -ETIMEDOUT)
        o->esperado = true;
    return estado;
}

void *__wrap_yunta_shared_alloc(size_t size, size_t alignment, size_t count)
{
    void *memoria = __real_yunta_shared_alloc(size, alignment, count);
    if (memoria && vigilando == VIGILAR_PROCESOS)
        apuntar_bloque(memoria, size * count);
    return memoria;
}

int __wrap_yunta_shared_create(void **memory, size_t size, size_t alignment, size_t count)
{
    int codigo = __real_yunta_shared_create(memory, size, alignment, count);
    if (codigo >= 0 && vigilando == VIGILAR_PROCESOS)
        apuntar_bloque(*memory, size * count);
    return codigo;
}

int __wrap_yunta_shared_free(void *memory)
{
    olvidar(BLOQUE, memory);
    return __real_yunta_shared_free(memory);
}

yunta_queue *__wrap_yunta_queue_destroy(yunta_queue *queue)
{
    olvidar(COLA, queue);
    return __real_yunta_queue_destroy(queue);
}

int __wrap_yunta_queue_create(yunta_queue **queue, const yunta_queue_options *options)
{
    int codigo = __real_yunta_queue_create(queue, options);
    if (codigo >= 0 && vigilando == VIGILAR_PROCESOS)
        apuntar(COLA, *queue)->por_mensaje = options ? options->item_size : 0;
    return codigo;
}

int __wrap_yunta_pool_create(yunta_pool **pool, const yunta_pool_options *options)
{
    int codigo = __real_yunta_pool_create(pool, options);
    if (codigo >= 0 && vigilando == VIGILAR_POOL) {
        visto.pools++;
        visto.pools_de_hilos += options && options->start_method == YUNTA_THREAD;
    }
    return codigo;
}

yunta_pool *__wrap_yunta_pool_destroy(yunta_pool *pool)
{
    if (pool && vigilando == VIGILAR_POOL)
        visto.pools_destruidos++;
    return __real_yunta_pool_destroy(pool);
}

int __wrap_yunta_pool_map(yunta_pool *pool, const yunta_task *task, const void *in, void *out, size_t count,
                          const yunta_map_options *options)
{
    int codigo = __real_yunta_pool_map(pool, task, in, out, count, options);
    if (vigilando == VIGILAR_POOL) {
        visto.maps++;
        visto.mayor_map = count > visto.mayor_map ? count : visto.mayor_map;
        if (codigo < 0)
            visto.error_de_map = codigo;
    }
    return codigo;
}
