package genesys

import (
	"fmt"
	"strings"
	"testing"
)

func TestASecretIsHiddenHoweverManyTokensComeAndGo(t *testing.T) {
	c, err := New(Options{Environment: Environment{API: "https://a", Login: "https://l"}, Credentials: Fixed(Credentials{})})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10 * maxHidden {
		token := fmt.Sprintf("token-%d;", n)
		c.Hide("the-secret") // as each fetch of a token does
		c.Hide(token)
		if got := c.hidden("the-secret " + token); strings.ContainsAny(got, "0123456789") || strings.Contains(got, "secret") {
			t.Fatalf("token %d: got %s", n, got)
		}
	}
	if len(c.hide) > maxHidden {
		t.Errorf("%d secrets are remembered", len(c.hide))
	}
}
