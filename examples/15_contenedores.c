/* Más allá del curso: contenedores. Un diccionario, un vector, un texto y unas cuentas que todos leen y escriben.
 * Nunca: guardar punteros a memoria privada en ellos: lo que se guarda son bytes, copiados.
 * Sigue: include/yunta/dict.h, vector.h, string.h y counters.h, que lo cuentan todo. */
#include "curso.h"

#include <string.h>

enum { OBREROS = 3, FICHAS = 1000, LARGO = 100 };

/* [fragmento: obrero] */
struct taller {
    yunta_dict *hechas;      /* obrero → cuántas fichas lleva */
    yunta_vector *acabaron;  /* números de obrero, según acaban */
    yunta_string *diario;    /* un texto al que todos añaden */
    yunta_counters *cuentas; /* números a los que todos suman */
    int numero;
};

static int trabajar(const struct taller *t)
{
    uint32_t fichas;
    comprobar(yunta_counters_number(t->cuentas, "fichas", &fichas), "nombrar una cuenta");
    for (int i = 0; i < FICHAS; i++) {
        comprobar(yunta_dict_add(t->hechas, &t->numero, sizeof t->numero, 1, NULL), "anotar una ficha");
        comprobar(yunta_counters_add(t->cuentas, fichas, 1), "contar una ficha");
    }
    comprobar(yunta_vector_push(t->acabaron, &t->numero, NULL), "apuntarse");
    return yunta_string_append(t->diario, "Acabé. ", strlen("Acabé. "));
}
YUNTA_ENTRY(trabajar, struct taller);
/* [fin] */

/* [fragmento: sin_fin] */
struct aviso {
    yunta_dict *tablon;
    yunta_event *escrito;
};

static int escribir_sin_fin(const struct aviso *a)
{
    char texto[LARGO];
    int r = 0;
    for (char letra = 'a'; r == 0; letra = letra == 'z' ? 'a' : (char)(letra + 1)) {
        memset(texto, letra, sizeof texto);
        r = yunta_dict_put(a->tablon, "aviso", 5, texto, sizeof texto);
        yunta_event_set(a->escrito);
    }
    return r;
}
YUNTA_ENTRY(escribir_sin_fin, struct aviso);
/* [fin] */

static void todos_a_la_vez(void)
{
    struct taller t = {.numero = 0};
    yunta_process *p[OBREROS];
    /* [fragmento: taller] */
    yunta_dict_options de_numeros = {.key_size = sizeof(int), .value_size = sizeof(int64_t)};
    comprobar(yunta_dict_create(&t.hechas, &de_numeros), "crear el diccionario");
    comprobar(yunta_vector_create(&t.acabaron, &(yunta_vector_options){.element_size = sizeof(int)}),
              "crear el vector");
    comprobar(yunta_string_create(&t.diario), "crear el texto");
    comprobar(yunta_counters_create(&t.cuentas), "crear las cuentas");
    for (t.numero = 1; t.numero <= OBREROS; t.numero++)
        comprobar(yunta_start(&p[t.numero - 1], trabajar, &t, NULL), "arrancar un obrero");
    /* [fin] */
    for (int i = 0; i < OBREROS; i++) {
        comprobar(yunta_process_join(p[i], YUNTA_FOREVER), "esperar a un obrero");
        yunta_process_destroy(p[i]);
    }
    /* [fragmento: recorrer] */
    yunta_dict_iterator *recorrido;
    yunta_dict_entry entrada;
    int64_t total = 0;
    comprobar(yunta_dict_iterate(&recorrido, t.hechas), "recorrer");
    while (yunta_dict_next(recorrido, &entrada) == 1)
        total += *(const int64_t *)entrada.value;
    yunta_dict_iterator_destroy(recorrido);
    /* [fin] */
    uint32_t fichas = 0;
    char diario[100];
    size_t tamano = 0;
    comprobar(yunta_counters_number(t.cuentas, "fichas", &fichas), "nombrar una cuenta");
    comprobar(yunta_string_get(t.diario, diario, sizeof diario, &tamano), "leer el diario");
    printf("El diccionario: %zu obreros, %lld fichas\n", yunta_dict_size(t.hechas), (long long)total);
    printf("La cuenta: %lld fichas\n", (long long)yunta_counters_sum(t.cuentas, fichas));
    printf("El vector: %zu han acabado\n", yunta_vector_size(t.acabaron));
    printf("El diario: «%.*s»\n", (int)tamano, diario);
    yunta_dict_destroy(t.hechas);
    yunta_vector_destroy(t.acabaron);
    yunta_string_destroy(t.diario);
    yunta_counters_destroy(t.cuentas);
}

static void matar_a_quien_escribe(void)
{
    struct aviso a;
    yunta_process *p;
    comprobar(yunta_dict_create(&a.tablon, NULL), "crear el tablón");
    comprobar(yunta_event_create(&a.escrito), "crear la señal");
    comprobar(yunta_start(&p, escribir_sin_fin, &a, NULL), "arrancar a quien escribe");
    /* [fragmento: matar] */
    char texto[LARGO];
    size_t tamano = 0, iguales = 0;
    comprobar(yunta_event_wait(a.escrito, YUNTA_FOREVER), "esperar al primer aviso");
    comprobar(yunta_process_kill(p), "matar a quien escribe");
    if (yunta_process_join(p, YUNTA_FOREVER) == YUNTA_ECRASHED)
        printf("Quien escribía ha muerto\n");
    comprobar(yunta_dict_get(a.tablon, "aviso", 5, texto, sizeof texto, &tamano), "leer el aviso");
    while (iguales < tamano && texto[iguales] == texto[0])
        iguales++;
    printf("El aviso: %zu letras, %zu iguales\n", tamano, iguales);
    comprobar(yunta_dict_put(a.tablon, "aviso", 5, "sigo yo", 7), "escribir en su lugar");
    /* [fin] */
    yunta_process_destroy(p);
    yunta_event_destroy(a.escrito);
    yunta_dict_destroy(a.tablon);
}

int main(int argc, char **argv)
{
    yunta_init(argc, argv);
    elegir_metodo();
    todos_a_la_vez();
    matar_a_quien_escribe();
    return 0;
}
