package command

import (
	"bytes"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// tree returns the command hookgate, as Caddy makes it.
func tree(t *testing.T) *cobra.Command {
	t.Helper()
	cmd := &cobra.Command{Use: "hookgate"}
	caddycmd.Commands()["hookgate"].CobraFunc(cmd)
	return cmd
}

func TestACommandThatIsNoneIsWrongUsage(t *testing.T) {
	for _, args := range [][]string{
		{"queues"},
		{"dead-letters", "replya", "--all", "--yes"},
		{"dead-letters", "replya"},
		{"contract", "chekc", "a.json"},
		{"topology", "aply"},
		{"store", "migrat"},
		{"genesys", "provison"},
		{"genesys", "provision", "webhook"},
	} {
		cmd := tree(t)
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetArgs(args)
		err := cmd.Execute()
		if err == nil || !strings.HasPrefix(out.String(), "Error: ") || strings.Contains(out.String(), "Usage:") {
			t.Errorf("%v: %v, %s", args, err, out.String())
		}
	}
}

func TestACommandWithOthersBelowItHasItsHelp(t *testing.T) {
	for _, args := range [][]string{nil, {"dead-letters"}, {"contract"}, {"topology"}, {"store"}, {"genesys"}, {"genesys", "provision"}} {
		cmd := tree(t)
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetArgs(args)
		if args == nil {
			cmd.SetArgs([]string{})
		}
		if err := cmd.Execute(); err != nil || !strings.Contains(out.String(), "Available Commands:") {
			t.Errorf("%v: %v, %s", args, err, out.String())
		}
	}
}

func TestAnArgumentThatIsMissingIsNamed(t *testing.T) {
	for want, args := range map[string][]string{
		"give the name of a contract":    {"contract", "show"},
		"give the ID of a letter":        {"dead-letters", "show"},
		"give the ID of one letter":      {"dead-letters", "edit", "a", "b"},
		"genesys/open-messaging, and no": {"genesys", "provision", "open-messaging"},
	} {
		cmd := tree(t)
		var out bytes.Buffer
		cmd.SetErr(&out)
		cmd.SetArgs(args)
		if err := cmd.Execute(); err == nil || !strings.Contains(out.String(), want) {
			t.Errorf("%v: %v, %s", args, err, out.String())
		}
	}
}

func TestExamplesAreAsTheyAreTypedInAnotherProgram(t *testing.T) {
	peek, _, err := tree(t).Find([]string{"queue"})
	if err != nil || !strings.HasPrefix(peek.Example, "  caddy hookgate queue\n  caddy hookgate queue peek ") {
		t.Errorf("%v: %s", err, peek.Example)
	}
	simulate, _, _ := tree(t).Find([]string{"simulate"})
	if strings.Contains(simulate.Example, "\n  hookgate") || !strings.Contains(simulate.Example, "\\\n    --rate") {
		t.Error(simulate.Example)
	}
}
