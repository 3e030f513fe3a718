/* Más allá del curso: un malloc para todos los procesos. Lo que pide uno lo usa y lo libera otro.
 * Nunca: guardar en memoria compartida un puntero a memoria de un solo proceso, como la de malloc.
 * Sigue: include/yunta/heap.h, que lo cuenta todo; placement.h, si la memoria es mucha. */
#include "curso.h"
#include <signal.h>

#define decir(...) (printf(__VA_ARGS__), fflush(stdout)) /* que salga ya, aunque vaya a un archivo */
enum { BLOQUES = 5, TAMANO = 1024 };

/* [fragmento: lista] */
struct nodo {
    struct nodo *siguiente; /* un puntero de verdad: vale en todos los procesos */
    char palabra[16];
};
struct apunte {
    struct nodo **lista;
    char palabra[16];
};

static int apuntar(const struct apunte *a)
{
    struct nodo *nuevo = yunta_heap_alloc(sizeof *nuevo);
    if (!nuevo)
        return 1;
    memcpy(nuevo->palabra, a->palabra, sizeof nuevo->palabra);
    nuevo->siguiente = *a->lista;
    *a->lista = nuevo;
    return 0; /* el proceso acaba; el nodo se queda */
}
YUNTA_ENTRY(apuntar, struct apunte);
/* [fin] */

static void esperar(yunta_process *p, int esperado)
{
    int estado = yunta_process_join(p, YUNTA_FOREVER);
    comprobar(estado == esperado ? 0 : estado < 0 ? estado : YUNTA_EFAILED, "acabar como se esperaba");
    yunta_process_destroy(p);
}

/* [fragmento: liberar] */
static void lista(void)
{
    const char palabras[][16] = {"tres", "dos", "uno"};
    struct nodo **primero = yunta_heap_alloc_zeroed(1, sizeof *primero);
    for (int i = 0; i < 3; i++) {
        struct apunte a = {.lista = primero};
        yunta_process *hijo;
        memcpy(a.palabra, palabras[i], sizeof a.palabra);
        comprobar(yunta_start(&hijo, apuntar, &a, NULL), "arrancar un hijo");
        esperar(hijo, 0); /* de uno en uno: la lista no tiene cerrojo */
    }
    while (*primero) {
        struct nodo *n = *primero;
        decir("  %s\n", n->palabra);
        *primero = n->siguiente;
        comprobar(yunta_heap_free(n), "liberar un nodo"); /* lo pidió un hijo que ya no existe */
    }
    comprobar(yunta_heap_free(primero), "liberar la lista");
}
/* [fin] */

/* [fragmento: errores] */
static void errores(void)
{
    char *bloque = yunta_heap_alloc(100), *otro = malloc(100);
    comprobar(yunta_heap_free(bloque), "liberar");
    decir("  Otra vez el mismo: %s\n", yunta_strerror(yunta_heap_free(bloque)));
    decir("  Uno de malloc: %s\n", yunta_strerror(yunta_heap_free(otro)));
    free(otro);
}
/* [fin] */

/* [fragmento: muertos] */
static int pedir_y_morir(const int *cuantos)
{
    for (int i = 0; i < *cuantos; i++)
        yunta_heap_alloc(TAMANO);
    return raise(SIGKILL);
}
YUNTA_ENTRY(pedir_y_morir, int);

static void muertos(void)
{
    yunta_process *hijo;
    yunta_heap_holder quien[8];
    comprobar(yunta_start(&hijo, pedir_y_morir, &(int){BLOQUES}, NULL), "arrancar un hijo");
    esperar(hijo, YUNTA_ECRASHED);
    for (;;) { /* hasta que se sepa de su muerte: milisegundos */
        int cuantos = comprobar(yunta_heap_read_holders(quien, 8), "ver quién tiene memoria");
        for (int i = 0; i < cuantos && i < 8; i++) {
            if (quien[i].pid == 0 && quien[i].blocks == BLOQUES) {
                decir("  De quienes ya no existen: %d bloques, %d bytes\n", (int)quien[i].blocks, (int)quien[i].in_use);
                return;
            }
        }
        dormir(0.001);
    }
}
/* [fin] */

int main(int argc, char **argv)
{
    comprobar(yunta_init(argc, argv), "empezar");
    elegir_metodo();
    decir("Tres hijos hacen una lista, y el padre la libera:\n");
    lista();
    decir("\nLiberar lo que no se debe:\n");
    errores();
    decir("\nUn hijo muere sin liberar:\n");
    muertos();
    return 0;
}
