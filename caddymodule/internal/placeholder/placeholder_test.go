package placeholder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAPlaceholderThatStandsForNothingSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return "{file." + path + "}"
	}
	t.Setenv("PLACEHOLDER_TEST_SET", "hunter2")
	t.Setenv("PLACEHOLDER_TEST_EMPTY", "")
	for name, tc := range map[string]struct{ text, want string }{
		"a variable that is not set":      {"{env.PLACEHOLDER_TEST_UNSET}", "{env.PLACEHOLDER_TEST_UNSET} is not set: this process needs PLACEHOLDER_TEST_UNSET in its environment"},
		"behind one that is":              {"{env.PLACEHOLDER_TEST_SET} {env.PLACEHOLDER_TEST_UNSET}", "{env.PLACEHOLDER_TEST_UNSET} is not set"},
		"a variable that is empty":        {"{env.PLACEHOLDER_TEST_EMPTY}", "{env.PLACEHOLDER_TEST_EMPTY} is empty"},
		"a file that is not there":        {"{file." + dir + "/none}", "/none} cannot be read: no such file or directory"},
		"a file that is empty":            {file("empty", "\n"), "/empty} is empty: the file must hold the value"},
		"a folder":                        {"{file." + dir + "}", "is a folder"},
		"a placeholder that is not known": {"{hookgate.nothing}", "unrecognized placeholder {hookgate.nothing}"},
		"a variable that is set":          {"{env.PLACEHOLDER_TEST_SET}", ""},
		"a text without one":              {"plain", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Resolve(tc.text)
			switch {
			case tc.want == "" && err != nil, tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %s", err, tc.want)
			case err != nil && strings.Contains(err.Error(), "hunter2"):
				t.Errorf("a value is quoted: %v", err)
			}
		})
	}
}
