/* Más allá del curso: esperar a lo primero que pase, sea un mensaje, un proceso o un descriptor.
 * Nunca: fiarse de que «listo» es «mío». Otro puede llegar antes, y por eso se recoge con límite 0.
 * Sigue: include/yunta/wait.h y queue.h, que lo cuentan todo. */
#include "curso.h"
#include <poll.h>
#include <signal.h>

#define decir(...) (printf(__VA_ARGS__), fflush(stdout)) /* que salga ya, aunque vaya a un archivo */
enum { TALLERES = 3, PIEZAS = 2 };

/* [fragmento: talleres] */
struct taller {
    int numero;
    yunta_queue *cola; /* cada taller tiene la suya */
};

static int fabricar(const struct taller *t)
{
    for (int i = 1; i <= PIEZAS; i++) {
        int pieza = 10 * t->numero + i;
        comprobar(yunta_queue_put(t->cola, &pieza, YUNTA_FOREVER), "entregar una pieza");
        if (t->numero == TALLERES)
            raise(SIGKILL); /* el último taller muere tras la primera */
    }
    return 0;
}
YUNTA_ENTRY(fabricar, struct taller);
/* [fin] */

/* [fragmento: esperar] */
static void recoger(const struct taller *t)
{
    int pieza;
    while (yunta_queue_get(t->cola, &pieza, 0) == 0)
        decir("  La pieza %d, del taller %d\n", pieza, t->numero);
}

static void esperar(struct taller *t, yunta_process **p)
{
    yunta_wait_item cosas[2 * TALLERES] = {0};
    for (int i = 0; i < TALLERES; i++) {
        cosas[i] = (yunta_wait_item){.kind = YUNTA_WAIT_GET, .object = t[i].cola};
        cosas[TALLERES + i] = (yunta_wait_item){.kind = YUNTA_WAIT_PROCESS, .object = p[i]};
    }
    for (int quedan = TALLERES; quedan > 0;) {
        comprobar(yunta_wait_many(cosas, 2 * TALLERES, YUNTA_FOREVER), "esperar a lo primero que pase");
        for (int i = 0; i < TALLERES; i++) {
            if (cosas[i].ready)
                recoger(&t[i]);
            if (!cosas[TALLERES + i].ready)
                continue;
            recoger(&t[i]); /* lo que entregó justo antes de acabar */
            bool bien = yunta_process_join(p[i], 0) == 0;
            decir("  El taller %d %s\n", t[i].numero, bien ? "ha acabado" : "ha muerto: no vendrá más de él");
            cosas[i].kind = cosas[TALLERES + i].kind = YUNTA_WAIT_NOTHING;
            quedan--;
        }
    }
}
/* [fin] */

static void talleres(void)
{
    struct taller t[TALLERES];
    yunta_process *p[TALLERES];
    decir("Lo primero que pase en %d talleres:\n", TALLERES);
    for (int i = 0; i < TALLERES; i++) {
        t[i].numero = i + 1;
        comprobar(yunta_queue_create(&t[i].cola, &(yunta_queue_options){.item_size = sizeof(int)}), "crear una cola");
        comprobar(yunta_start(&p[i], fabricar, &t[i], NULL), "abrir un taller");
    }
    esperar(t, p);
    for (int i = 0; i < TALLERES; i++) {
        yunta_process_destroy(p[i]);
        yunta_queue_destroy(t[i].cola);
    }
}

static int contar(const struct taller *t)
{
    for (int i = 1; i <= 3; i++)
        comprobar(yunta_queue_put(t->cola, &i, YUNTA_FOREVER), "mandar un número");
    return comprobar(yunta_queue_close(t->cola), "cerrar la cola");
}
YUNTA_ENTRY(contar, struct taller);

/* [fragmento: bucle] */
static void bucle(yunta_queue *cola)
{
    struct pollfd cosas[] = {
        {.fd = comprobar(yunta_queue_descriptor(cola), "pedir el descriptor"), .events = POLLIN},
        /* … y aquí los sockets, el teclado, los relojes del programa */
    };
    for (int r = 0; r != YUNTA_ECLOSED;) {
        int n = 0;
        poll(cosas, 1, -1);
        while ((r = yunta_queue_get(cola, &n, 0)) == 0)
            decir("  %d\n", n);
    }
}
/* [fin] */

static void con_poll(void)
{
    struct taller t = {0};
    yunta_process *p;
    decir("\nUna cola en el bucle de un programa:\n");
    comprobar(yunta_queue_create(&t.cola, &(yunta_queue_options){.item_size = sizeof(int)}), "crear la cola");
    comprobar(yunta_start(&p, contar, &t, NULL), "arrancar quien cuenta");
    bucle(t.cola);
    comprobar(yunta_process_join(p, YUNTA_FOREVER), "esperarlo");
    yunta_process_destroy(p);
    yunta_queue_destroy(t.cola);
}

int main(int argc, char **argv)
{
    yunta_init(argc, argv);
    elegir_metodo();
    talleres();
    con_poll();
    return 0;
}
