// iceoryx: chunks of shared memory, lent by its daemon RouDi and published in place. The publisher waits for room.
// Must never be asked for more than one consumer: what is published reaches every subscriber.
// Read next: ../lib/traffic.c.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include "../lib/bench.h"
#include "../lib/traffic.h"
#include "../peers/poll.h"
#include "traffic_serve.h"
}

namespace popo = iox::popo;

// Chunks for both sizes: as many as the deepest queue of that size holds, one at each end, and some for its alignment.
static const char pools[] = "[general]\nversion = 1\n[[segment]]\n"
                            "[[segment.mempool]]\nsize = 65664\ncount = 16\n"
                            "[[segment.mempool]]\nsize = 1048704\ncount = 16\n";
static const uint32_t line = 64;

static pid_t roudi = -1;
static size_t size, depth;
static int flow; // each traffic is a topic of its own: nothing of the last one is left in it

static std::unique_ptr<popo::UntypedPublisher> publisher;
static std::unique_ptr<popo::UntypedSubscriber> subscriber;
static void *reserved;
static const void *received;

// Who has had no processor for 1.5 s is not taken for dead. If this process dies, RouDi is asked to end: killed, it would leave its shared memory behind. What it says when nobody
// listens any more is lost.
[[noreturn]] static void become_roudi(pid_t starter, int said)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    int config = memfd_create("roudi.toml", 0);
    std::string path = "/proc/self/fd/" + std::to_string(config);
    if (getppid() == starter && config >= 0 && write(config, pools, sizeof pools - 1) == sizeof pools - 1 &&
        dup2(said, STDOUT_FILENO) >= 0 && dup2(said, STDERR_FILENO) >= 0)
        execl(ROUDI, ROUDI, "--config-file", path.c_str(), "--monitoring-mode", "off", "--kill-delay", "1",
              static_cast<char *>(nullptr));
    _exit(127);
}

static void stop_roudi()
{
    kill(roudi, SIGTERM);
    waitpid(roudi, nullptr, 0);
}

// Whether it got ready. It does not where another one runs, or where shared memory lacks; then what it said is told.
static bool start_roudi()
{
    int said[2];
    pid_t starter = getpid();
    if (pipe2(said, O_CLOEXEC) != 0 || (roudi = fork()) < 0)
        bench_wrong("no pipe or process for RouDi");
    if (roudi == 0)
        become_roudi(starter, said[1]);
    close(said[1]);
    std::string all;
    char some[256];
    bool ready = false;
    for (ssize_t got; !ready && (got = read(said[0], some, sizeof some)) > 0;) {
        all.append(some, static_cast<size_t>(got));
        ready = all.find("ready for clients") != std::string::npos;
    }
    close(said[0]);
    if (!ready) {
        stop_roudi();
        fprintf(stderr, "RouDi does not start: %s\n", all.c_str());
    }
    return ready;
}

static void open_flow(const bench_traffic *traffic)
{
    size = traffic->size;
    depth = bench_traffic_depth(traffic);
    flow++;
}

static void close_flow()
{
}

// Both ends know each other before the clock starts.
static void join(bool produces)
{
    dup2(STDERR_FILENO, STDOUT_FILENO); // which is the benchmark's, not iceoryx's
    iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kWarn,
                                                            iox::log::LogLevelOutput::kHideLogLevel);
    std::string who = "yunta-bench-" + std::to_string(getpid());
    iox::runtime::PoshRuntime::initRuntime(iox::RuntimeName_t(iox::cxx::TruncateToCapacity, who));
    std::string number = std::to_string(flow);
    iox::capro::ServiceDescription topic{"yunta", "bench", iox::capro::IdString_t(iox::cxx::TruncateToCapacity, number)};
    if (produces) {
        popo::PublisherOptions options;
        options.subscriberTooSlowPolicy = popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
        publisher = std::make_unique<popo::UntypedPublisher>(topic, options);
        while (!publisher->hasSubscribers())
            bench_pause(1000000);
    } else {
        popo::SubscriberOptions options;
        options.queueCapacity = depth;
        options.queueFullPolicy = popo::QueueFullPolicy::BLOCK_PRODUCER;
        subscriber = std::make_unique<popo::UntypedSubscriber>(topic, options);
        while (subscriber->getSubscriptionState() != iox::SubscribeState::SUBSCRIBED)
            bench_pause(1000000);
    }
}

// By exit: iceoryx tells RouDi in a destructor that this process is gone.
static void leave()
{
    publisher.reset();
    subscriber.reset();
    exit(0);
}

static void *reserve()
{
    publisher->loan(static_cast<uint32_t>(size), line)
        .and_then([](void *chunk) { reserved = chunk; })
        .or_else([](popo::AllocationError) { bench_wrong("iceoryx lends no chunk of %zu bytes", size); });
    return reserved;
}

static void commit()
{
    publisher->publish(reserved);
}

static const void *receive()
{
    received = nullptr;
    for (unsigned times = 0; !received;) {
        subscriber->take().and_then([](const void *chunk) { received = chunk; });
        if (!received)
            poll_again(&times);
    }
    return received;
}

static void release()
{
    subscriber->release(received);
}

int main()
{
    bench_carrier carrier = {};
    carrier.open = open_flow;
    carrier.close = close_flow;
    carrier.join = join;
    carrier.leave = leave;
    carrier.reserve = reserve;
    carrier.commit = commit;
    carrier.receive = receive;
    carrier.release = release;
    if (!start_roudi())
        return traffic_serve(nullptr);
    int status = traffic_serve(&carrier);
    stop_roudi();
    return status;
}
