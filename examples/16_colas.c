/* Más allá del curso: colas por prioridad, colas que saben cuándo está todo hecho, lotes, y mensajes que no se copian.
 * Nunca: seguir usando un préstamo después de devolverlo o de entregarlo.
 * Sigue: include/yunta/queue.h, queue_many.h y queue_loan.h, que lo cuentan todo. */
#include "curso.h"
#include <signal.h>
#include <string.h>

#define decir(...) (printf(__VA_ARGS__), fflush(stdout)) /* que salga ya, aunque vaya a un archivo */
enum { ENCARGOS = 4, LOTE = 64, FOTO = 1 << 20 };

/* [fragmento: urgencias] */
static void urgencias(void)
{
    static const struct {
        const char *paciente;
        int64_t prioridad; /* cuanto menor, antes */
    } llegan[] = {{"un resfriado", 5}, {"un infarto", 0}, {"un esguince", 3}, {"otro infarto", 0}};
    yunta_queue *sala;
    char quien[32];
    size_t largo;
    comprobar(yunta_queue_create(&sala, &(yunta_queue_options){.order = YUNTA_PRIORITY}), "abrir la sala");
    for (size_t i = 0; i < sizeof llegan / sizeof llegan[0]; i++)
        comprobar(yunta_queue_put_priority(sala, llegan[i].paciente, strlen(llegan[i].paciente) + 1,
                                           llegan[i].prioridad, YUNTA_FOREVER),
                  "entrar en la sala");
    decir("Urgencias, con %zu pacientes:\n", yunta_queue_size(sala));
    while (yunta_queue_get_bytes(sala, quien, sizeof quien, &largo, 0) == 0)
        decir("  Pasa %s\n", quien);
    yunta_queue_destroy(sala);
}
/* [fin] */

/* [fragmento: encargos] */
struct taller {
    yunta_queue *cola;
    bool gafe; /* morirá con un encargo entre manos */
};

static int hacer_encargos(const struct taller *t)
{
    int encargo, r;
    while ((r = yunta_queue_get(t->cola, &encargo, YUNTA_FOREVER)) == 0) {
        if (t->gafe)
            raise(SIGKILL); /* lo ha recogido, pero no lo ha hecho */
        decir("  Encargo %d, hecho\n", encargo);
        comprobar(yunta_queue_task_done(t->cola), "darlo por hecho");
    }
    return r == YUNTA_ECLOSED ? 0 : r;
}
YUNTA_ENTRY(hacer_encargos, struct taller);

static void encargos(void)
{
    struct taller t = {.gafe = true};
    yunta_process *p;
    yunta_queue_stats cuentas;
    comprobar(yunta_queue_create(&t.cola, &(yunta_queue_options){.item_size = sizeof(int), .joinable = true}),
              "abrir el taller");
    for (int i = 1; i <= ENCARGOS; i++)
        comprobar(yunta_queue_put(t.cola, &i, YUNTA_FOREVER), "hacer un encargo");
    decir("\nUn taller con %d encargos:\n", ENCARGOS);
    comprobar(yunta_start(&p, hacer_encargos, &t, NULL), "arrancar a quien morirá");
    int estado = yunta_process_join(p, YUNTA_FOREVER);
    yunta_process_destroy(p);
    comprobar(estado == YUNTA_ECRASHED ? 0 : YUNTA_EFAILED, "morir como se esperaba");

    t.gafe = false;
    comprobar(yunta_start(&p, hacer_encargos, &t, NULL), "arrancar a quien los hará");
    comprobar(yunta_queue_join(t.cola, YUNTA_FOREVER), "esperar a que esté todo hecho");
    comprobar(yunta_queue_read_stats(t.cola, &cuentas), "pedir las cuentas");
    decir("Todo hecho; %d encargo volvió a la cola cuando murió quien lo tenía\n", (int)cuentas.redelivered);
    comprobar(yunta_queue_close(t.cola), "cerrar el taller");
    comprobar(yunta_process_join(p, YUNTA_FOREVER), "despedirse");
    yunta_process_destroy(p);
    yunta_queue_destroy(t.cola);
}
/* [fin] */

/* [fragmento: lotes] */
static int sumar(yunta_queue *const *cola)
{
    int numeros[LOTE], cuantos;
    long suma = 0;
    while ((cuantos = yunta_queue_get_many(*cola, numeros, LOTE, YUNTA_FOREVER)) > 0)
        for (int i = 0; i < cuantos; i++)
            suma += numeros[i];
    decir("  La suma es %ld\n", suma);
    return cuantos == YUNTA_ECLOSED ? 0 : cuantos;
}
YUNTA_ENTRY(sumar, yunta_queue *);

static void lotes(void)
{
    yunta_queue *cola;
    yunta_process *p;
    int numeros[LOTE];
    comprobar(yunta_queue_create(&cola, &(yunta_queue_options){.item_size = sizeof(int), .capacity = 1000}),
              "crear la cola");
    decir("\n%d números, de %d en %d:\n", 100 * LOTE, LOTE, LOTE);
    comprobar(yunta_start(&p, sumar, &cola, NULL), "arrancar a quien suma");
    for (int i = 0; i < 100; i++) {
        for (int j = 0; j < LOTE; j++)
            numeros[j] = i * LOTE + j;
        int puestos = yunta_queue_put_many(cola, numeros, LOTE, YUNTA_FOREVER);
        comprobar(puestos == LOTE ? 0 : puestos, "poner un lote");
    }
    comprobar(yunta_queue_close(cola), "cerrar la cola");
    comprobar(yunta_process_join(p, YUNTA_FOREVER), "despedirse");
    yunta_process_destroy(p);
    yunta_queue_destroy(cola);
}
/* [fin] */

/* [fragmento: fotos] */
static int mirar(yunta_queue *const *cola)
{
    yunta_loan foto;
    comprobar(yunta_queue_receive(*cola, &foto, YUNTA_FOREVER), "recibir la foto");
    const unsigned char *puntos = foto.data; /* está donde la escribió el otro: nadie la ha copiado */
    decir("  Llega una foto de %zu puntos: empieza por %d y acaba en %d\n", foto.size, puntos[0],
          puntos[foto.size - 1]);
    return comprobar(yunta_queue_release(&foto), "devolverla");
}
YUNTA_ENTRY(mirar, yunta_queue *);

static void fotos(void)
{
    yunta_queue *cola;
    yunta_process *p;
    yunta_loan foto;
    comprobar(yunta_queue_create(&cola, NULL), "crear la cola");
    decir("\nUna foto que no se copia:\n");
    comprobar(yunta_start(&p, mirar, &cola, NULL), "arrancar a quien mira");
    comprobar(yunta_queue_reserve(cola, FOTO, &foto), "pedir sitio");
    memset(foto.data, 7, FOTO);
    ((unsigned char *)foto.data)[FOTO - 1] = 9;
    comprobar(yunta_queue_commit(&foto, FOTO, YUNTA_FOREVER), "entregarla");
    comprobar(yunta_process_join(p, YUNTA_FOREVER), "despedirse");
    yunta_process_destroy(p);
    yunta_queue_destroy(cola);
}
/* [fin] */

int main(int argc, char **argv)
{
    yunta_init(argc, argv);
    elegir_metodo();
    urgencias();
    encargos();
    lotes();
    fotos();
    return 0;
}
