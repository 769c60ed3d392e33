// Package simulate is a sender that behaves like Genesys Cloud: it posts events,
// as a data action or as Open Messaging does, to one URL, at a given rate, together with the things a
// receiver has to cope with (exact copies, copies in flight at once, broken,
// too large and slow bodies), and reports how every one of them was answered.
//
// It talks to the URL it is given and to nothing else: it follows no redirect
// and takes no proxy from the environment.
package simulate
