package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// commandLimit is how long a command may take, also on a busy machine.
const commandLimit = 2 * time.Minute

// Output is what a command printed and how it ended.
type Output struct {
	Stdout, Stderr string
	Status         int
	Took           time.Duration
}

// Command runs the program to its end. A status other than 0 is no error here.
func (h *Home) Command(ctx context.Context, args ...string) (Output, error) {
	return h.CommandEnv(ctx, nil, args...)
}

// CommandEnv is Command with more variables, as KEY=VALUE.
func (h *Home) CommandEnv(ctx context.Context, env []string, args ...string) (Output, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, h.world.cfg.Bin, args...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = slices.Concat(h.env, env), h.work, apart()
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Cancel = func() error { killGroup(cmd.Process.Pid); return nil }
	cmd.WaitDelay = 20 * time.Second // for who reads what it printed last
	began := time.Now()
	if err := h.world.run(cmd); err != nil {
		return Output{}, fmt.Errorf("claudemesh %v: %w", args, err)
	}
	err := cmd.Wait()
	out := Output{Stdout: stdout.String(), Stderr: stderr.String(), Took: time.Since(began)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return out, fmt.Errorf("claudemesh %v: %w", args, context.Cause(ctx))
	case errors.As(err, &exit):
		out.Status = exit.ExitCode()
	case err != nil:
		return out, fmt.Errorf("claudemesh %v: %w", args, err)
	}
	return out, nil
}

// JSON runs a command with --json and decodes its document into v. A status other
// than 0 is a *CommandError.
func (h *Home) JSON(ctx context.Context, v any, args ...string) error {
	return h.JSONEnv(ctx, nil, v, args...)
}

// JSONEnv is JSON with more variables, as KEY=VALUE.
func (h *Home) JSONEnv(ctx context.Context, env []string, v any, args ...string) error {
	out, err := h.CommandEnv(ctx, env, append(slices.Clone(args), "--json")...)
	if err != nil {
		return err
	}
	if out.Status != 0 {
		return failed(args, out)
	}
	if err := json.Unmarshal([]byte(out.Stdout), v); err != nil {
		return fmt.Errorf("claudemesh %v printed no document: %w\n%s", args, err, out.Stdout)
	}
	return nil
}

// failed reads the error document of a command.
func failed(args []string, out Output) error {
	var doc struct {
		Error struct{ Code, Message, Hint string }
	}
	_ = json.Unmarshal([]byte(out.Stdout), &doc) // without one, stderr tells
	return &CommandError{
		Args: args, Status: out.Status, Stderr: out.Stderr,
		Code: doc.Error.Code, Message: doc.Error.Message, Hint: doc.Error.Hint,
	}
}
