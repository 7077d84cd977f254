// Package harness drives the real program: it builds the binary, gives it homes
// of its own, starts, stops and kills nodes, runs commands, and speaks to
// `claudemesh mcp` as an agent does.
//
// A [World] owns everything it starts. Its [World.Close] kills what is left, by
// process group, waits for it and removes the files; so a caller defers it once
// and needs no other clean-up, whatever failed. No process outlives its world,
// on Linux not even when the world's own process is killed. Everything listens
// on loopback alone.
//
//	w, err := harness.New(harness.Config{Bin: bin})
//	defer w.Close()
//	ana, err := w.Home("ana")
//	err = ana.Start(ctx)                               // node run, until it answers
//	err = ana.JSON(ctx, &made, "new", "atelier")       // a command with --json
//	agent, err := ana.Agent(ctx, harness.AgentConfig{Session: "s1"})
//	sent, err := harness.Tool[message.SendResponse](ctx, agent, "send_message", args)
//	got, err := agent.Await(ctx, 0, func(c harness.Channel) bool { return c.ID() == sent.ID })
//
// Nothing here waits for a time: every wait is for an answer, an end or a
// context. The package serves tests and the demo; it holds no assertions.
package harness
