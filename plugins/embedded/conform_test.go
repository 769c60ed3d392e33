package embedded

import (
	"testing"

	"github.com/hookgate/hookgate/integration/conform"
)

func TestTheStoreIsOneAsAnyOther(t *testing.T) {
	d := unstarted(t, Options{})
	begin(t, d)
	conform.Store(t, d)
	conform.Race(t, d)
}
