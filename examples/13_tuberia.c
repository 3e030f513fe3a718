/* Más allá del curso: tuberías. Dos procesos que se hablan, el fin de uno de ellos, y un archivo que cambia de manos.
 * Nunca: olvidar yunta_pipe_give. Mientras también nosotros tengamos el otro extremo, nadie nos dirá que ha acabado.
 * Sigue: include/yunta/pipe.h, que lo cuenta todo. */
#include "curso.h"
#include <signal.h>
#include <unistd.h>

enum { PREGUNTAS = 3 };

/* [fragmento: doblar] */
struct extremo {
    yunta_pipe *tuberia; /* vive en memoria compartida: basta pasar el puntero */
};

static int doblar(const struct extremo *e)
{
    int numero, r;
    size_t tamano;
    while ((r = yunta_pipe_receive(e->tuberia, &numero, sizeof numero, &tamano, YUNTA_FOREVER)) == 0) {
        numero *= 2;
        comprobar(yunta_pipe_send(e->tuberia, &numero, sizeof numero, YUNTA_FOREVER), "responder");
    }
    return r == YUNTA_ECLOSED ? 0 : 1; /* el otro lado ha cerrado: no habrá más preguntas */
}
YUNTA_ENTRY(doblar, struct extremo);

static void conversar(void)
{
    yunta_pipe *mio, *suyo;
    yunta_process *p;
    size_t tamano;
    int doble;
    comprobar(yunta_pipe_create(&mio, &suyo, NULL), "crear la tubería");
    comprobar(yunta_start(&p, doblar, &(struct extremo){suyo}, NULL), "arrancar el proceso");
    comprobar(yunta_pipe_give(suyo, p), "darle su extremo");
    for (int i = 1; i <= PREGUNTAS; i++) {
        comprobar(yunta_pipe_send(mio, &i, sizeof i, YUNTA_FOREVER), "preguntar");
        comprobar(yunta_pipe_receive(mio, &doble, sizeof doble, &tamano, YUNTA_FOREVER), "leer la respuesta");
        printf("El doble de %d es %d\n", i, doble);
    }
    comprobar(yunta_pipe_close(mio), "cerrar");
    printf("Cierro, y el otro acaba con %d\n", yunta_process_join(p, YUNTA_FOREVER));
    yunta_process_destroy(p);
    yunta_pipe_destroy(mio);
}
/* [fin] */

/* [fragmento: morir] */
static int morir(const struct extremo *e)
{
    comprobar(yunta_pipe_send(e->tuberia, "hola", 4, YUNTA_FOREVER), "enviar");
    return raise(SIGKILL);
}
YUNTA_ENTRY(morir, struct extremo);

static void escuchar(void)
{
    yunta_pipe *mio, *suyo;
    yunta_process *p;
    char texto[16];
    size_t tamano;
    int r;
    comprobar(yunta_pipe_create(&mio, &suyo, &(yunta_pipe_options){.one_way = true}), "crear la tubería");
    comprobar(yunta_start(&p, morir, &(struct extremo){suyo}, NULL), "arrancar el proceso");
    comprobar(yunta_pipe_give(suyo, p), "darle su extremo");
    while ((r = yunta_pipe_receive(mio, texto, sizeof texto, &tamano, YUNTA_FOREVER)) == 0)
        printf("Llega: %.*s\n", (int)tamano, texto);
    printf("Y después: %s\n", yunta_error_name(r));
    yunta_process_destroy(p);
    yunta_pipe_destroy(mio);
}
/* [fin] */

/* [fragmento: prestar] */
static int anotar(const struct extremo *e)
{
    int archivo;
    comprobar(yunta_pipe_receive_descriptor(e->tuberia, &archivo, YUNTA_FOREVER), "recibir el archivo");
    const char linea[] = "escrito por otro proceso";
    return write(archivo, linea, sizeof linea) == (ssize_t)sizeof linea ? 0 : 1;
}
YUNTA_ENTRY(anotar, struct extremo);

static void prestar(void)
{
    yunta_pipe *mio, *suyo;
    yunta_process *p;
    char linea[64] = "";
    FILE *archivo = tmpfile();
    comprobar(archivo ? 0 : -errno, "abrir un archivo sin nombre");
    comprobar(yunta_pipe_create(&mio, &suyo, NULL), "crear la tubería");
    comprobar(yunta_start(&p, anotar, &(struct extremo){suyo}, NULL), "arrancar el proceso");
    comprobar(yunta_pipe_give(suyo, p), "darle su extremo");
    comprobar(yunta_pipe_send_descriptor(mio, fileno(archivo), YUNTA_FOREVER), "enviar el archivo");
    comprobar(yunta_process_join(p, YUNTA_FOREVER), "esperar al proceso");
    rewind(archivo);
    printf("En el archivo: %s\n", fgets(linea, sizeof linea, archivo));
    fclose(archivo);
    yunta_process_destroy(p);
    yunta_pipe_destroy(mio);
}
/* [fin] */

int main(int argc, char **argv)
{
    yunta_init(argc, argv);
    elegir_metodo();
    conversar();
    escuchar();
    prestar();
    return 0;
}
