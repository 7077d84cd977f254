package state

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/node/op"
)

// stateCommand is about the mesh's shared state.
func (a *app) stateCommand() *cobra.Command {
	cmd := a.Holder("state", "Shared keys and values of a mesh", "")
	cmd.AddCommand(a.stateGet(), a.stateSet(), a.stateList(), a.stateWriters())
	return cmd
}

func (a *app) stateSet() *cobra.Command {
	var text bool
	cmd := &cobra.Command{
		Use:   "set <key> <value>",
		Short: "Write a shared key",
		Long: "Write a shared key. The value is JSON if it reads as JSON, else a text; --text takes it\n" +
			"as a text in any case, and - reads it from stdin.",
		Example: "claudemesh state set sprint 42\nclaudemesh state set deploy '{\"by\":\"ana\"}'",
		Args:    run.Words(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			word, err := a.Body(args[1:])
			if err != nil {
				return err
			}
			in, err := a.InMesh(cmd.Context())
			if err != nil {
				return err
			}
			set := state.SetRequest{InMesh: in, Key: args[0], Value: jsonValue(word, text)}
			return run.Perform(cmd.Context(), a.App, state.Set, set, func(r state.SetResponse) {
				a.Term.Line("%s %s = %s %s", term.Green(term.OK), term.Bold(r.Key), compact(r.JSON), term.Dim(a.Fill("in %s", r.Slug)))
			})
		},
	}
	cmd.Flags().BoolVar(&text, "text", false, "the value is a text, even if it reads as JSON")
	return cmd
}

// jsonValue is a value as typed: JSON, else a text.
func jsonValue(word string, text bool) json.RawMessage {
	if !text && json.Valid([]byte(word)) {
		return json.RawMessage(word)
	}
	raw, err := json.Marshal(word)
	if err != nil {
		return json.RawMessage(`""`) // a string can always be encoded
	}
	return raw
}

// bare is a value as people read it: a text without its quotes, else JSON.
func bare(raw json.RawMessage) string {
	var s string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// longestShown is how much of a value a list shows, in characters.
const longestShown = 200

// compact is a value in a line.
func compact(raw json.RawMessage) string {
	text := []rune(string(raw))
	if len(text) > longestShown {
		return string(text[:longestShown]) + "…"
	}
	return string(text)
}

// foundDoc is a key that is set, or is not.
type foundDoc struct {
	Found bool `json:"found"`
	state.GetResponse
}

// absentDoc is the document of a key that is not set: that is an answer, and a
// failure.
type absentDoc struct {
	term.Failed
	Found bool   `json:"found"`
	Key   string `json:"key"`
}

func (a *app) stateGet() *cobra.Command {
	return &cobra.Command{
		Use:     "get <key>",
		Short:   "Read a shared key; exit status 5 if it is not set",
		Example: "claudemesh state get sprint",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := a.InMesh(cmd.Context())
			if err != nil {
				return err
			}
			out, err := run.Call(cmd.Context(), a.App, state.Get, state.GetRequest{InMesh: in, Key: args[0]})
			if err != nil {
				return a.notSet(cmd.Context(), err, args[0])
			}
			a.Used(a.Mesh)
			return run.Show(a.App, foundDoc{true, out}, func(foundDoc) {
				a.Term.Block(1, bare(out.JSON))
				a.Term.Line("%s", term.Dim(a.Fill("set by %s · %s", out.By, run.Clock(out.At, time.Now()))))
			})
		},
	}
}

// notSet tells in a document that a key is not set. Other failures stay as they are.
func (a *app) notSet(ctx context.Context, err error, key string) error {
	e := run.AsError(ctx, err)
	if e.Code != op.NotFound || !strings.Contains(e.Message, "not set") || !a.Term.IsDocument() {
		return err
	}
	doc := absentDoc{Key: key, Failed: term.Failed{Error: term.Failure{Code: string(e.Code), Message: e.Message, Hint: e.Hint}}}
	if err := a.Term.JSON(doc); err != nil {
		return err
	}
	return run.Verdict(run.ExitNotFound)
}

func (a *app) stateList() *cobra.Command {
	var prefix string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the shared keys",
		Args:  run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := a.InMesh(cmd.Context())
			if err != nil {
				return err
			}
			out, err := a.allKeys(cmd.Context(), state.ListRequest{InMesh: in, Prefix: prefix})
			if err != nil {
				return err
			}
			a.Used(a.Mesh)
			return run.Show(a.App, out, a.printKeys)
		},
	}
	cmd.Flags().StringVar(&prefix, "prefix", "", "only keys that begin with this `text`")
	return cmd
}

// allKeys asks until it has every key.
func (a *app) allKeys(ctx context.Context, in state.ListRequest) (state.ListResponse, error) {
	all, err := run.Call(ctx, a.App, state.List, in)
	for err == nil && all.More {
		in.After = all.Entries[len(all.Entries)-1].Key
		var next state.ListResponse
		next, err = run.Call(ctx, a.App, state.List, in)
		all.Entries, all.More = append(all.Entries, next.Entries...), next.More && len(next.Entries) > 0
	}
	if all.Entries == nil {
		all.Entries = []state.Value{}
	}
	return all, err
}

func (a *app) printKeys(r state.ListResponse) {
	if r.Hidden > 0 {
		a.Term.Note("%s hidden: you do not let their writers be read; `claudemesh grants` shows whom", a.Count(r.Hidden, "key is", "keys are"))
	}
	if len(r.Entries)+r.Hidden == 0 {
		a.Term.Line("No shared state in %s yet.", r.Slug)
		a.Term.Note("%s claudemesh state set <key> <value>", term.To)
		return
	}
	now := time.Now()
	for _, v := range r.Entries {
		value := compact(v.JSON)
		if v.JSON == nil {
			value = a.Count(v.Bytes, "byte", "bytes") + ": " + a.Fill("`claudemesh state get %s`", v.Key)
		}
		a.Term.Line("%s: %s %s", term.Bold(v.Key), value, term.Dim(v.By+" · "+run.Clock(v.At, now)))
	}
}

func (a *app) stateWriters() *cobra.Command {
	return &cobra.Command{
		Use:   "writers [everyone | <member>…]",
		Short: "Show or say who may write shared keys",
		Long: "Show who may write shared keys, or as an admin say who may: everyone, or only the members\n" +
			"named. What others wrote, before or later, is then shown nowhere.",
		Example: "claudemesh state writers\nclaudemesh state writers ana ben",
		Args:    run.Words(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := a.InMesh(cmd.Context())
			if err != nil {
				return err
			}
			out, err := run.Call(cmd.Context(), a.App, state.Writers, state.WritersRequest{InMesh: in, Writers: args})
			if err != nil {
				return err
			}
			if out.Writers == nil {
				out.Writers = []state.Writer{}
			}
			a.Used(a.Mesh)
			return run.Show(a.App, out, run.ItsText[state.WritersResponse](a.App))
		},
	}
}
