package redis

import (
	"strings"
	"testing"

	"github.com/hookgate/hookgate/hook"
)

func pendingValue(t hook.Token, fp hook.Fingerprint) string { return string(appendPending(nil, t, fp)) }

func TestValuesAreReadAsTheyWereWritten(t *testing.T) {
	mine, other, fp := hook.NewToken(), hook.NewToken(), hook.Fingerprint{1, 2, 3}
	for value, want := range map[string]hook.State{
		pendingValue(mine, fp):  hook.Ours,
		pendingValue(other, fp): hook.Pending,
		committedValue(fp):      hook.Committed,
	} {
		if state, sum, err := judge(value, mine); state != want || sum != fp || err != nil {
			t.Errorf("%s: %v %v %v", value, state, sum, err)
		}
	}
	// The scripts compare just this.
	if !strings.HasPrefix(pendingValue(mine, fp), heldBy(mine)) || strings.HasPrefix(pendingValue(other, fp), heldBy(mine)) {
		t.Error("a holder is not known by how its value begins")
	}
}

// Whatever is in a server: each value that is taken has one form.
func FuzzValue(f *testing.F) {
	token, fp := hook.Token{7}, hook.Fingerprint{9}
	for _, s := range []string{"", "p:", "c:", "p::", pendingValue(token, fp), committedValue(fp), committedValue(fp) + "=", "p:\n:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		state, sum, err := judge(value, token)
		switch {
		case err != nil:
			if state != 0 || sum != (hook.Fingerprint{}) {
				t.Error(state, sum)
			}
		case state == hook.Committed && committedValue(sum) != value,
			state == hook.Ours && pendingValue(token, sum) != value,
			state == hook.Pending && !strings.HasSuffix(value, ":"+strict.EncodeToString(sum[:])):
			t.Errorf("%q: %v", value, state)
		}
	})
}
