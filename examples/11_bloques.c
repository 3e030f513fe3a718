/* Más allá del curso: memoria para quien no es de la familia, por descriptor y por nombre.
 * Nunca: poner punteros en un bloque. En cada programa está en otra dirección, y solo valen las posiciones.
 * Sigue: include/yunta/block.h, que lo cuenta todo. */
#include "curso.h"
#include <sys/wait.h>
#include <unistd.h>

#define decir(...) (printf(__VA_ARGS__), fflush(stdout)) /* que salga ya, aunque vaya a un archivo */
#define CUANTOS 5

/* [fragmento: lector] */
static int sumar_del_descriptor(int descriptor)
{
    yunta_block *bloque;
    yunta_block_options leer = {.read_only = true, .only_frozen = true};
    comprobar(yunta_block_open(&bloque, descriptor, &leer), "abrir el bloque que nos han dado");
    const int *lista = yunta_block_address(bloque);
    int suma = 0;
    for (size_t i = 0; i < yunta_block_size(bloque) / sizeof *lista; i++)
        suma += lista[i];
    decir("  El otro programa suma %d\n", suma);
    yunta_block_destroy(bloque);
    return 0;
}
/* [fin] */

/* Otro programa: aquí es el mismo archivo, pero arrancado con exec, y no sabe nada de quien lo arrancó. */
static void arrancar_otro(const char *programa, int descriptor)
{
    pid_t hijo = comprobar(fork(), "arrancar otro programa");
    if (hijo == 0) {
        dup2(descriptor, 0); /* lo recibe como entrada; por un socket llegaría igual */
        execl(programa, programa, "suma", (char *)NULL);
        _exit(127);
    }
    waitpid(hijo, NULL, 0);
}

/* [fragmento: descriptor] */
static void por_descriptor(const char *programa)
{
    yunta_block *bloque;
    comprobar(yunta_block_create(&bloque, CUANTOS * sizeof(int), NULL), "crear el bloque");
    int *lista = yunta_block_address(bloque);
    for (int i = 0; i < CUANTOS; i++)
        lista[i] = i + 1;
    comprobar(yunta_block_freeze(bloque), "congelar el bloque"); /* ya nadie lo cambia, ni nosotros */
    decir("Un bloque por su descriptor:\n");
    int descriptor = comprobar(yunta_block_read_only_descriptor(bloque), "pedir un descriptor para leer");
    arrancar_otro(programa, descriptor);
    close(descriptor);
    yunta_block_destroy(bloque);
}
/* [fin] */

/* [fragmento: nombre] */
static void por_nombre(void)
{
    char nombre[32];
    yunta_block *bloque, *visto;
    snprintf(nombre, sizeof nombre, "curso-%ld", (long)getpid());
    comprobar(yunta_block_create_named(&bloque, nombre, 100), "crear un bloque con nombre");
    strcpy(yunta_block_address(bloque), "hola desde C");

    comprobar(yunta_block_open_named(&visto, nombre, NULL), "abrirlo por su nombre"); /* o en Python */
    decir("\nUn bloque por su nombre:\n  Dice: %s\n", (char *)yunta_block_address(visto));
    yunta_block_destroy(visto);

    comprobar(yunta_block_unlink(nombre), "quitarle el nombre");
    yunta_block_destroy(bloque);
    decir("  Después de quitarle el nombre: %s\n",
          yunta_block_open_named(&visto, nombre, NULL) == -ENOENT ? "ya no está" : "sigue ahí");
}
/* [fin] */

int main(int argc, char **argv)
{
    yunta_init(argc, argv);
    elegir_metodo();
    if (argc == 2 && strcmp(argv[1], "suma") == 0)
        return sumar_del_descriptor(0);
    por_descriptor("/proc/self/exe");
    por_nombre();
    return 0;
}
