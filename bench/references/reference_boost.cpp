// Boost.Interprocess message_queue: a mutex and two conditions over a ring in shared memory. Both sides sleep.
// Must never poll: it is what somebody takes who wants to sleep.
// Read next: ../lib/traffic.c.
#include <boost/interprocess/ipc/message_queue.hpp>
#include <memory>
#include <string>
#include <unistd.h>

extern "C" {
#include "../lib/bench.h"
#include "../lib/traffic.h"
#include "traffic_serve.h"
}

namespace ipc = boost::interprocess;

static std::unique_ptr<ipc::message_queue> queue;
static std::string name;
static size_t size;

static void open_queue(const bench_traffic *traffic)
{
    size = traffic->size;
    name = "yunta-bench-" + std::to_string(getpid());
    ipc::message_queue::remove(name.c_str());
    queue = std::make_unique<ipc::message_queue>(ipc::create_only, name.c_str(), bench_traffic_depth(traffic), size);
}

static void close_queue()
{
    queue.reset();
    ipc::message_queue::remove(name.c_str());
}

static void put(const void *message)
{
    queue->send(message, size, 0);
}

static void get(void *message)
{
    ipc::message_queue::size_type got;
    unsigned priority;
    queue->receive(message, size, got, priority);
    if (got != size)
        bench_wrong("message_queue gave a message of another size");
}

int main()
{
    bench_carrier carrier = {};
    carrier.open = open_queue;
    carrier.close = close_queue;
    carrier.put = put;
    carrier.get = get;
    return traffic_serve(&carrier);
}
