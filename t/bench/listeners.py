#!/usr/bin/env python3
"""What listeners cost Redis: a change that is published, by how many hear it, and what they ask while nothing happens.

    listeners.py [--rounds 3] MODULE.so

On one Redis and on clusters, in µs of processor time; what the servers do anyway is measured before, and taken off."""

import argparse, select, socket, statistics, sys, time
from pathlib import Path

from cluster import Cluster, token_id
from harness import command, read_reply
from measure import ACCOUNT, Servers, cpu_seconds, wait_for

CHANNEL = "api_token:changes"
PUBLISHED, NGINX_COUNT = 300, 8
MESSAGE = len(command(["message", CHANNEL, token_id(ACCOUNT, 0)]))


def cpu_of_each(pids):
    return [cpu_seconds([pid]) for pid in pids]


def idle(pids, seconds=2):
    """Processor time that each takes in a second while nothing is asked."""
    before = cpu_of_each(pids)
    time.sleep(seconds)
    return [(after - start) / seconds for start, after in zip(before, cpu_of_each(pids))]


# ---- a change

class Subscribers:
    """Connections spread over the nodes."""

    def __init__(self, nodes, count):
        self.sockets, self.poll = {}, select.epoll()
        for number in range(count):
            connection = socket.create_connection(("127.0.0.1", nodes[number % len(nodes)].port))
            connection.sendall(command(["SUBSCRIBE", CHANNEL]))
            read_reply(connection.makefile("rb", buffering=0))
            self.poll.register(connection, select.EPOLLIN)
            self.sockets[connection.fileno()] = connection
        while self.read(0.2):    # what is still on its way from before
            pass

    def read(self, timeout=20):
        return sum(len(self.sockets[descriptor].recv(65536)) for descriptor, _ in self.poll.poll(timeout))

    def hear(self):
        left = len(self.sockets) * MESSAGE
        while left:
            left -= self.read() or sys.exit("a message is lost")

    def end(self):
        self.poll.close()
        for connection in self.sockets.values():
            connection.close()


def publish(nodes, subscribers):
    with socket.create_connection(("127.0.0.1", nodes[0].port)) as client, client.makefile("rb") as replies:
        for number in range(PUBLISHED):
            client.sendall(command(["PUBLISH", CHANNEL, token_id(ACCOUNT, number)]))
            read_reply(replies)
            subscribers.hear()


def cost_of_change(cluster, count):
    """In µs: of the node that is told, and of all."""
    subscribers = Subscribers(cluster.nodes, count)
    publish(cluster.nodes, subscribers)
    at_rest, before, start = idle(cluster.pids), cpu_of_each(cluster.pids), time.monotonic()
    publish(cluster.nodes, subscribers)
    elapsed, after = time.monotonic() - start, cpu_of_each(cluster.pids)
    subscribers.end()
    costs = [1e6 * (end - begin - rest * elapsed) / PUBLISHED for begin, end, rest in zip(before, after, at_rest)]
    return costs[0], sum(costs)


def bench_changes(options):
    print("| Redis | connections that hear it | µs of the node that is told | µs of all nodes |\n| --- | --- | --- | --- |")
    for masters in (1, 3, 6):
        with Servers("listeners", options.module) as servers:
            cluster = Cluster(servers, masters)
            for count in (1, 10, 100, 400):
                costs = [cost_of_change(cluster, count) for _ in range(options.rounds)]
                told, everybody = (statistics.median(column) for column in zip(*costs))
                print(f"| {'one' if masters == 1 else f'{masters} masters'} | {count} | {told:.0f} | {everybody:.0f} |")


# ---- real ones

def bench_nginx(options):
    print(f"\nFor each nginx, of {NGINX_COUNT}:\n")
    print("| Redis | workers | at rest, % of a processor of Redis | connections | KiB of Redis | a change, µs of nginx |")
    print("| --- | --- | --- | --- | --- | --- |")
    for masters in (1, 3):
        for workers in (4, 16):
            with Servers("listeners", options.module) as servers:
                at_rest, connections, memory, change = cost_of_nginx(servers, Cluster(servers, masters), workers, options)
            print(f"| {'one' if masters == 1 else f'{masters} masters'} | {workers} | {100 * at_rest:.2f} | {connections:.0f} | {memory / 1024:.0f} | {change:.0f} |")


def cost_of_nginx(servers, cluster, workers, options):
    """What each of them costs: of Redis in a second, its connections, its memory; and in µs of its own when a change is told."""
    alone, memory = sum(idle(cluster.pids, 5)), cluster.memory()
    many = [servers.start_nginx(f"nginx{number}", cluster.url, cluster.pids, "api_token_cache zone=bench:1m;", workers)
            for number in range(NGINX_COUNT)]
    wait_for(lambda: sum(node("PUBSUB", "NUMSUB", CHANNEL)[1] for node in cluster.nodes) == min(workers, 4) * NGINX_COUNT)
    at_rest = statistics.median(sum(idle(cluster.pids, 5)) for _ in range(options.rounds))
    connections = sum(node.info("clients", "connected_clients") - 1 for node in cluster.nodes)
    memory = cluster.memory() - memory
    own = [pid for each in many for pid in each["workers"]]
    resting, before, start = sum(idle(own)), cpu_seconds(own), time.monotonic()
    for number in range(PUBLISHED):
        cluster.nodes[0]("PUBLISH", CHANNEL, token_id(ACCOUNT, number))
        time.sleep(0.002)
    change = 1e6 * (cpu_seconds(own) - before - resting * (time.monotonic() - start)) / PUBLISHED
    return (at_rest - alone) / NGINX_COUNT, connections / NGINX_COUNT, memory / NGINX_COUNT, change / NGINX_COUNT


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("module", type=Path)
    options = options.parse_args()
    bench_changes(options)
    bench_nginx(options)


main()
