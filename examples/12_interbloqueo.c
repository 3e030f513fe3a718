/* Más allá del curso: unos filósofos que se quedan sin cenar, quién espera a quién, y cómo se evita.
 * Nunca: tomar dos cerrojos en un orden que no sea el de todos.
 * Sigue: include/yunta/deadlock.h, que lo cuenta todo. */
#include "curso.h"

#define decir(...) (printf(__VA_ARGS__), fflush(stdout)) /* que salga ya, aunque vaya a un archivo */
enum { FILOSOFOS = 3 };

/* [fragmento: cenar] */
struct filosofo {
    int numero; /* desde 0 */
    yunta_lock *tenedor[FILOSOFOS];
    yunta_barrier *sentados; /* NULL: cada uno empieza cuando quiere */
};

static void tomar(yunta_lock *tenedor)
{
    int r = yunta_lock_acquire(tenedor, YUNTA_FOREVER);
    if (r == -EOWNERDEAD) /* quien lo tenía ha muerto; un tenedor no se estropea por eso */
        r = yunta_lock_mark_consistent(tenedor);
    comprobar(r, "tomar un tenedor");
}

static void cenar(const struct filosofo *f, int primero, int segundo)
{
    tomar(f->tenedor[primero]);
    if (f->sentados)
        comprobar(yunta_barrier_wait(f->sentados, YUNTA_FOREVER), "esperar a que cada uno tenga un tenedor");
    tomar(f->tenedor[segundo]);
    decir("  El filósofo %d cena\n", f->numero + 1);
    comprobar(yunta_lock_release(f->tenedor[segundo]), "dejar un tenedor");
    comprobar(yunta_lock_release(f->tenedor[primero]), "dejar el otro");
}

/* Primero el de su izquierda, luego el de su derecha. */
static int cenar_sin_orden(const struct filosofo *f)
{
    cenar(f, f->numero, (f->numero + 1) % FILOSOFOS);
    return 0;
}
YUNTA_ENTRY(cenar_sin_orden, struct filosofo);
/* [fin] */

/* [fragmento: orden] */
/* Primero el de número más bajo. */
static int cenar_con_orden(const struct filosofo *f)
{
    int uno = f->numero, otro = (f->numero + 1) % FILOSOFOS;
    cenar(f, uno < otro ? uno : otro, uno < otro ? otro : uno);
    return 0;
}
YUNTA_ENTRY(cenar_con_orden, struct filosofo);
/* [fin] */

/* [fragmento: mirar] */
static int numero_de(pid_t pid, yunta_process **p)
{
    for (int i = 0; i < FILOSOFOS; i++)
        if (yunta_process_pid(p[i]) == pid)
            return i + 1;
    return 0;
}

/* Hasta que todos esperan en círculo. */
static void mirar(const struct filosofo *f, yunta_process **p)
{
    yunta_deadlock_edge espera[FILOSOFOS];
    while (comprobar(yunta_deadlock_find(espera, FILOSOFOS), "buscar un interbloqueo") == 0)
        dormir(0.01);
    for (int i = 0; i < FILOSOFOS; i++)
        for (int e = 0; e < FILOSOFOS; e++)
            if (numero_de(espera[e].waiter_pid, p) == i + 1)
                decir("  El filósofo %d espera el tenedor %d, que tiene el filósofo %d\n", i + 1,
                      espera[e].object == f->tenedor[(i + 1) % FILOSOFOS] ? (i + 1) % FILOSOFOS + 1 : 0,
                      numero_de(espera[e].holder_pid, p));
}
/* [fin] */

static void acabar(yunta_process **p, int desde)
{
    for (int i = desde; i < FILOSOFOS; i++) {
        comprobar(yunta_process_join(p[i], YUNTA_FOREVER) == 0 ? 0 : YUNTA_EFAILED, "acabar bien");
        yunta_process_destroy(p[i]);
    }
}

static void cena_sin_orden(struct filosofo *f)
{
    yunta_process *p[FILOSOFOS];
    decir("Cada uno toma primero el tenedor de su izquierda:\n");
    comprobar(yunta_barrier_create(&f->sentados, FILOSOFOS), "crear la barrera");
    for (f->numero = 0; f->numero < FILOSOFOS; f->numero++)
        comprobar(yunta_start(&p[f->numero], cenar_sin_orden, f, NULL), "sentar a un filósofo");
    mirar(f, p);
    decir("Nadie cena. Quitamos de la mesa al filósofo 1:\n");
    yunta_process_destroy(p[0]); /* lo mata */
    acabar(p, 1);
    f->sentados = yunta_barrier_destroy(f->sentados);
}

static void cena_con_orden(struct filosofo *f)
{
    yunta_process *p[FILOSOFOS];
    decir("\nCada uno toma primero el tenedor de número más bajo:\n");
    for (f->numero = 0; f->numero < FILOSOFOS; f->numero++)
        comprobar(yunta_start(&p[f->numero], cenar_con_orden, f, NULL), "sentar a un filósofo");
    acabar(p, 0);
    decir("Esperas en círculo: %d\n", comprobar(yunta_deadlock_find(NULL, 0), "buscar un interbloqueo"));
}

int main(int argc, char **argv)
{
    struct filosofo f = {0};
    yunta_init(argc, argv);
    elegir_metodo();
    for (int i = 0; i < FILOSOFOS; i++)
        comprobar(yunta_lock_create(&f.tenedor[i]), "poner un tenedor");
    cena_sin_orden(&f);
    cena_con_orden(&f);
    for (int i = 0; i < FILOSOFOS; i++)
        yunta_lock_destroy(f.tenedor[i]);
    return 0;
}
