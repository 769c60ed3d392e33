package provision

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/contract"
)

func parse(t *testing.T, schema string) *contract.Contract {
	t.Helper()
	c, err := contract.Parse("test", []byte(`{"x-hookgate":{"name":"test","version":1,"event_id":["/id"]},"type":"object",`+schema+`}`))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestATemplateWritesEachMemberAsItsTypeWants(t *testing.T) {
	got, err := NewTemplate(parse(t, `"required":["id","n","yes","maybe"],"properties":{
		"id":{"type":"string"},"n":{"type":"integer"},"yes":{"type":"boolean"},"maybe":{"type":["number","null"]},
		"note":{"type":"string"},"agent":{"type":["string","null"]},"list":{"type":"array"},"strange-name":{"type":"string"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"$esc.jsonString(${input.id})"` +
		`,"n":#if("$!{input.n}" != "")${input.n}#{else}null#end` +
		`,"yes":#if("$!{input.yes}" != "")${input.yes}#{else}null#end` +
		`,"maybe":#if("$!{input.maybe}" != "")${input.maybe}#{else}null#end` +
		`,"agent":#if("$!{input.agent}" != "")"$esc.jsonString(${input.agent})"#{else}null#end` +
		`#if("$!{input.note}" != ""),"note":"$esc.jsonString(${input.note})"#end}`
	if diff := cmp.Diff(want, got.Body); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"list", "strange-name"}, got.LeftOut); diff != "" {
		t.Error(diff)
	}
	var schema struct {
		Required   []string
		Properties map[string]struct{ Type string }
	}
	if err := json.Unmarshal(got.Input, &schema); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"id", "n", "yes"}, schema.Required); diff != "" {
		t.Error(diff)
	}
	if len(schema.Properties) != 6 || schema.Properties["maybe"].Type != "number" || schema.Properties["agent"].Type != "string" {
		t.Errorf("got %v", schema.Properties)
	}
}

func TestTheTemplateOfABuiltInContractIsKnown(t *testing.T) {
	got, err := NewTemplate(peActionMap(t))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "pe-action-map.velocity", got.Body+"\n")
}

func TestAContractThatNoFlowCanFillIsRefused(t *testing.T) {
	for schema, want := range map[string]string{
		`"required":["id","a"],"properties":{"id":{"type":"string"},"a":{"type":"array"}}`:              "the member a is of the type array",
		`"required":["id","a"],"properties":{"id":{"type":"string"},"a":{"type":"object"}}`:             "the member a is of the type object",
		`"required":["id","a"],"properties":{"id":{"type":"string"},"a":{"type":["string","number"]}}`:  "the member a has several types",
		`"required":["id","a"],"properties":{"id":{"type":"string"},"a":{}}`:                            "the member a has no type",
		`"required":["id","call.id"],"properties":{"id":{"type":"string"},"call.id":{"type":"string"}}`: `the member "call.id" has a name`,
		`"properties":{"id":{"type":"string"}}`:                                                         "it requires no member",
	} {
		if _, err := NewTemplate(parse(t, schema)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", schema, err)
		}
	}
	open, err := contract.Builtin("open-messaging")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewTemplate(open); err == nil {
		t.Error("a data action can send Open Messaging's messages")
	}
}
