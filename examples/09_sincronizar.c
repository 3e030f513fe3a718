/* Más allá del curso: unos procesos que se esperan, se avisan y se turnan, y qué pasa cuando muere uno de ellos.
 * Nunca: esperar un cambio con if. Se espera con while, mirando otra vez, pues al despertar puede no haberlo.
 * Sigue: include/yunta/condition.h, rwlock.h, barrier.h y latch.h, que lo cuentan todo. */
#include "curso.h"
#include <signal.h>

#define decir(...) (printf(__VA_ARGS__), fflush(stdout)) /* que salga ya, aunque vaya a un archivo */
enum { CORREDORES = 3, ETAPAS = 2, CAJAS = 3, CABEN = 1, LECTORES = 3, PLATOS = 3 };

static void terminar(yunta_process **p, int cuantos, int esperado)
{
    for (int i = 0; i < cuantos; i++) {
        int estado = yunta_process_join(p[i], YUNTA_FOREVER);
        comprobar(estado == esperado ? 0 : estado < 0 ? estado : YUNTA_EFAILED, "acabar como se esperaba");
        yunta_process_destroy(p[i]);
    }
}

/* [fragmento: correr] */
struct corredor {
    int numero;
    yunta_event *salida; /* viven en memoria compartida: basta pasar los punteros */
    yunta_barrier *relevo;
};

static int correr(const struct corredor *c)
{
    comprobar(yunta_event_wait(c->salida, YUNTA_FOREVER), "esperar la salida");
    for (int etapa = 1; etapa <= ETAPAS; etapa++) {
        decir("  Corredor %d: etapa %d\n", c->numero, etapa);
        comprobar(yunta_barrier_wait(c->relevo, YUNTA_FOREVER), "esperar a los demás");
    }
    return comprobar(yunta_barrier_leave(c->relevo), "despedirse"); /* se va, pero no ha muerto */
}
YUNTA_ENTRY(correr, struct corredor);

static void carrera(void)
{
    struct corredor c;
    yunta_process *p[CORREDORES];
    comprobar(yunta_event_create(&c.salida), "crear el evento");
    comprobar(yunta_barrier_create(&c.relevo, CORREDORES), "crear la barrera");
    for (c.numero = 1; c.numero <= CORREDORES; c.numero++)
        comprobar(yunta_start(&p[c.numero - 1], correr, &c, NULL), "arrancar un corredor");
    decir("Preparados, listos...\n");
    comprobar(yunta_event_set(c.salida), "dar la salida");
    terminar(p, CORREDORES, 0);
    yunta_barrier_destroy(c.relevo);
    yunta_event_destroy(c.salida);
}
/* [fin] */

/* [fragmento: almacen] */
struct puesto {
    int *cajas; /* las que hay; su cerrojo es el que trae este bloque de memoria */
    yunta_condition *cambio;
    int tope, suma; /* con `tope` cajas espera; si no, suma 1 (el que produce) o -1 (el que consume) */
};

static int trabajar(const struct puesto *p)
{
    yunta_lock *cerrojo = yunta_shared_lock(p->cajas);
    for (int i = 1; i <= CAJAS; i++) {
        comprobar(yunta_lock_acquire(cerrojo, YUNTA_FOREVER), "tomar el cerrojo");
        while (*p->cajas == p->tope)
            comprobar(yunta_condition_wait(p->cambio, cerrojo, YUNTA_FOREVER), "esperar un cambio");
        *p->cajas += p->suma;
        decir("  %s la caja %d\n", p->suma > 0 ? "Entra" : "Sale", i);
        comprobar(yunta_condition_notify_all(p->cambio), "avisar del cambio");
        comprobar(yunta_lock_release(cerrojo), "soltar el cerrojo");
    }
    return 0;
}
YUNTA_ENTRY(trabajar, struct puesto);

static void almacen(void)
{
    yunta_process *p[2];
    yunta_condition *cambio = NULL;
    int *cajas = yunta_shared(int, 1);
    comprobar(cajas ? yunta_condition_create(&cambio) : -ENOMEM, "abrir el almacén");
    decir("\nUn almacén con sitio para %d:\n", CABEN);
    comprobar(yunta_start(&p[0], trabajar, &(struct puesto){cajas, cambio, 0, -1}, NULL), "arrancar el consumidor");
    comprobar(yunta_start(&p[1], trabajar, &(struct puesto){cajas, cambio, CABEN, 1}, NULL), "arrancar el productor");
    terminar(p, 2, 0);
    yunta_condition_destroy(cambio);
    yunta_shared_free(cajas);
}
/* [fin] */

/* [fragmento: marcador] */
struct marcador {
    int *goles; /* los del local, los del visitante y la suma */
    yunta_rwlock *cerrojo;
    yunta_barrier *dentro;
};

static int anotar(const struct marcador *m)
{
    comprobar(yunta_rwlock_acquire_write(m->cerrojo, YUNTA_FOREVER), "tomar el cerrojo para escribir");
    m->goles[0] += 1;
    return raise(SIGKILL); /* muere a medias: ni ha hecho la suma ni ha soltado el cerrojo */
}
YUNTA_ENTRY(anotar, struct marcador);

static int leer(const struct marcador *m)
{
    comprobar(yunta_rwlock_acquire_read(m->cerrojo, YUNTA_FOREVER), "tomar el cerrojo para leer");
    comprobar(yunta_barrier_wait(m->dentro, YUNTA_FOREVER), "juntarse con los otros, cada uno con el cerrojo");
    decir("  Un lector lee: %d a %d, %d en total\n", m->goles[0], m->goles[1], m->goles[2]);
    return comprobar(yunta_rwlock_release(m->cerrojo), "soltar el cerrojo");
}
YUNTA_ENTRY(leer, struct marcador);
/* [fin] */

static void marcador(void)
{
    struct marcador m = {.goles = yunta_shared(int, 3)};
    yunta_process *p[LECTORES];
    comprobar(m.goles ? yunta_rwlock_create(&m.cerrojo) : -ENOMEM, "colgar el marcador");
    comprobar(yunta_barrier_create(&m.dentro, LECTORES), "crear la barrera");
    comprobar(yunta_start(&p[0], anotar, &m, NULL), "arrancar el anotador");
    terminar(p, 1, YUNTA_ECRASHED);

    /* [fragmento: heredar] */
    if (yunta_rwlock_acquire_read(m.cerrojo, YUNTA_FOREVER) == -EOWNERDEAD) { /* y es nuestro *para escribir* */
        decir("\nQuien anotaba un gol ha muerto a medias: %d más %d no son %d\n", m.goles[0], m.goles[1], m.goles[2]);
        m.goles[2] = m.goles[0] + m.goles[1];
        comprobar(yunta_rwlock_mark_consistent(m.cerrojo), "dar por bueno el marcador");
    }
    comprobar(yunta_rwlock_release(m.cerrojo), "soltar el cerrojo");
    /* [fin] */
    for (int i = 0; i < LECTORES; i++)
        comprobar(yunta_start(&p[i], leer, &m, NULL), "arrancar un lector");
    terminar(p, LECTORES, 0);
    yunta_barrier_destroy(m.dentro);
    yunta_rwlock_destroy(m.cerrojo);
    yunta_shared_free(m.goles);
}

/* [fragmento: cocinar] */
struct plato {
    int numero;
    bool se_quema;
    yunta_latch *listos;
};

static int cocinar(const struct plato *p)
{
    comprobar(yunta_latch_take(p->listos, 1), "hacerse cargo de un plato"); /* desde aquí lo debe */
    if (p->se_quema)
        return raise(SIGKILL);
    decir("  Listo el plato %d\n", p->numero);
    return comprobar(yunta_latch_count_down(p->listos, 1), "entregarlo");
}
YUNTA_ENTRY(cocinar, struct plato);

static void cena(bool se_quema)
{
    yunta_process *p[PLATOS];
    struct plato plato;
    int idos = 0;
    comprobar(yunta_latch_create(&plato.listos, PLATOS), "crear el pestillo");
    for (plato.numero = 1; plato.numero <= PLATOS; plato.numero++) {
        plato.se_quema = se_quema && plato.numero == PLATOS;
        if (plato.se_quema) /* cuando se rompa el pestillo, nadie podrá ya entregar: que los otros acaben antes */
            terminar(p, idos = PLATOS - 1, 0);
        comprobar(yunta_start(&p[plato.numero - 1], cocinar, &plato, NULL), "arrancar un cocinero");
    }
    int r = yunta_latch_wait(plato.listos, YUNTA_FOREVER);
    terminar(&p[idos], PLATOS - idos, se_quema ? YUNTA_ECRASHED : 0);
    decir(r == 0 ? "  ¡A la mesa!\n" : "  Un cocinero ha muerto y debía un plato: no hay cena\n");
    yunta_latch_destroy(plato.listos);
}
/* [fin] */

int main(int argc, char **argv)
{
    yunta_init(argc, argv);
    elegir_metodo();
    carrera();
    almacen();
    marcador();
    decir("\nLa cena, dos veces:\n");
    cena(false);
    cena(true);
    return 0;
}
