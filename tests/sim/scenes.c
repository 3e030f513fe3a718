/* The list of all scenes.
 * It must not hold anything else. Next: scene_lock.c, the first of them. */
#include "scenes.h"

#define SIM_NAME(scene) &scene_##scene,
const sim_scene *const sim_scenes[] = {SIM_EACH_SCENE(SIM_NAME) NULL};
