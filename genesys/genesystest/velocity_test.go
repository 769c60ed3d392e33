package genesystest

import "testing"

func TestATemplateIsRenderedAsVelocityDoes(t *testing.T) {
	scope := map[string]map[string]any{
		"input":       {"text": `a "b"` + "\n", "n": 142.0, "yes": true, "empty": ""},
		"credentials": {"token": "hush"},
	}
	for template, want := range map[string]string{
		"plain":                              "plain",
		"":                                   "",
		"$5 off":                             "$5 off",
		"${input.text}":                      `a "b"` + "\n",
		"$esc.jsonString(${input.text})":     `a \"b\"\n`,
		"${input.n},${input.yes}":            "142,true",
		"${input.gone}":                      "${input.gone}",
		"$!{input.gone}":                     "",
		"$esc.jsonString($!{input.gone})":    "",
		"Bearer ${credentials.token}":        "Bearer hush",
		`#if("$!{input.n}" != "")y#end`:      "y",
		`#if("$!{input.gone}" != "")y#end.`:  ".",
		`#if("$!{input.empty}" != "")y#end.`: ".",
		`#if("$!{input.gone}" == "")null#{else}${input.gone}#end,`:                               "null,",
		`#if("$!{input.n}" == "")null#{else}${input.n}#end,`:                                     "142,",
		`#if("$!{input.n}" != "")#if("$!{input.gone}" != "")a#{else}b#end#{else}c#end`:           "b",
		`#if("$!{input.gone}" != "")#if("$!{input.n}" != "")a#{else}b#end#{else}c#end${input.n}`: "c142",
	} {
		if got, err := render(template, scope); err != nil || got != want {
			t.Errorf("%s: got %q, %v", template, got, err)
		}
	}
	for _, template := range []string{"#end", "#{else}", `#if("$!{input.n}" != "")`, "#if($input.n)x#end", "#set($x = 1)", `#if("$!{input.n}" != "")a#{else}b#{else}c#end`} {
		if got, err := render(template, scope); err == nil {
			t.Errorf("%s: got %q", template, got)
		}
	}
}
