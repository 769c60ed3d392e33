// Package deadletter is what a person can do with dead letters: find them,
// understand them, send them again, mend them and put them away. It works on
// any hook.DeadLetters, and knows neither RabbitMQ nor Caddy.
//
// Local is the Desk of the dead letters at hand. A Desk elsewhere, such as
// behind an admin API, takes the same options.
//
// What it writes holds personal data only where that is asked for: event IDs,
// bodies and addresses of clients are digests and sizes otherwise.
package deadletter
