package command

import (
	"fmt"
	"io"
	"time"

	"github.com/hookgate/hookgate/deadletter"
)

// How often progress is told: to a terminal, in one line that is drawn anew,
// and to anything else, in lines.
const (
	redrawEvery = 100 * time.Millisecond
	lineEvery   = 5 * time.Second
)

// lettersProgress tells how far it is.
type lettersProgress struct {
	w      io.Writer
	redraw bool
	done   string // what is done with the letters: sent, discarded
	last   time.Time
	drawn  bool
}

func newLettersProgress(w io.Writer, done string) *lettersProgress {
	return &lettersProgress{w: w, redraw: isTerminal(w), done: done, last: time.Now()}
}

func (p *lettersProgress) tell(n deadletter.Progress) {
	every := lineEvery
	if p.redraw {
		every = redrawEvery
	}
	if time.Since(p.last) < every {
		return
	}
	p.last = time.Now()
	line := fmt.Sprintf("%d of %d %s, %d kept", n.Done, n.Matched, p.done, n.Kept)
	if p.redraw {
		p.drawn = true
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(p.w, line)
}

// end takes the line away.
func (p *lettersProgress) end() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
