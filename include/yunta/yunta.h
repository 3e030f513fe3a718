/* yunta: multiprocessing for C.
 *
 * Run functions in processes that share memory, and stay whole when any of them is killed. This header declares
 * nothing itself; read the parts in this order. Every function may be called from any thread of any process of
 * the team (the processes that share one arena) unless its comment says otherwise, and never from a signal
 * handler, unless its comment says that too. */
#ifndef YUNTA_YUNTA_H
#define YUNTA_YUNTA_H

#include <yunta/error.h>
#include <yunta/init.h>
#include <yunta/process.h>
#include <yunta/shared.h>
#include <yunta/heap.h>
#include <yunta/placement.h>
#include <yunta/sync.h>
#include <yunta/condition.h>
#include <yunta/rwlock.h>
#include <yunta/barrier.h>
#include <yunta/latch.h>
#include <yunta/queue.h>
#include <yunta/queue_many.h>
#include <yunta/queue_loan.h>
#include <yunta/pipe.h>
#include <yunta/topic.h>
#include <yunta/task.h>
#include <yunta/pool.h>
#include <yunta/future.h>
#include <yunta/wait.h>
#include <yunta/deadlock.h>
#include <yunta/block.h>
#include <yunta/dict.h>
#include <yunta/vector.h>
#include <yunta/string.h>
#include <yunta/counters.h>

#endif
