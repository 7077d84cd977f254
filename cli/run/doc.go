// Package run is one run of the program, as every command needs it: its environment, its
// terminal and the flags of every command (run.go); the connection to the node and the
// requests through it (client.go, show.go, approve.go); the choice of a mesh (pick.go);
// errors and exit statuses (errors.go); settings, agents' settings and releases; texts.
//
// A command fills a request, asks the node through Call or Perform and shows the answer;
// it holds no keys and no state. No command is here, see commands. It has more than 1,000
// lines because what a single command does must never differ from what the others do.
package run
