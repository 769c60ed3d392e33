// Command edge measures what a webhook costs at the edge. In one run, with the
// same load and the same pinning, it puts side by side
//
//	bare      Caddy that reads the body and answers 202: the floor
//	embedded  Hookgate with nothing installed: event and claim in one file, fsynced
//	servers   Hookgate on Redis and RabbitMQ, with confirms from a quorum queue
//	consumer  the whole way: servers, and hookgate-consumer to a local downstream
//	core      servers, with the accepting core in Caddy and none of Hookgate's handlers: only where it is named
//	overload  embedded, with ten times the connections: only where it is named
//
// The program that is measured has a core to itself; the load and all servers
// share the other ones. The variants take turns, several rounds, and medians
// are reported, because a machine has its moods. After each round what is in
// the queue is counted and held against what was answered 202.
//
// Run it with "make bench"; -help lists the flags.
package main
