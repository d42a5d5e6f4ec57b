// Package ops is the command line of vedettactl: what an operator or installer
// types. Each command is one struct; the work is done by the packages below.
package ops

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"

	"vedetta/cluster/env"
	"vedetta/cluster/gossip/keyring"
	"vedetta/cluster/link"
	"vedetta/ops/bans"
	"vedetta/ops/frame"
	"vedetta/ops/imports"
	"vedetta/ops/local"
	"vedetta/ops/panel"
	"vedetta/ops/panel/conform"
	"vedetta/ops/panel/fleet"
	"vedetta/ops/pki"
	"vedetta/ops/reconcile"
	"vedetta/ops/watch"
	"vedetta/wire/push"
	"vedetta/wire/seal"
)

// Exit codes of vedettactl besides those of a panel; a promise.
const (
	exitDone  = 0
	exitFault = 1  // ran and found a fault
	exitUsage = 64 // wrong usage
)

// cli is every command.
type cli struct {
	Local struct {
		Up   upCommand   `cmd:"" help:"Build up and run the whole product on this machine until Ctrl-C."`
		Demo demoCommand `cmd:"" help:"Send an alarm to the running local mesh and follow it to the outcome."`
	} `cmd:"" help:"The whole product on this machine."`
	PKI struct {
		CA       caCommand       `cmd:"" name:"ca" help:"Make the mesh's own certificate authority."`
		Issue    issueCommand    `cmd:"" help:"Issue a certificate to a node, to central or to an operator."`
		Panels   panelsCommand   `cmd:"" name:"panel-certificate" help:"Issue a certificate that panels are shown by TLS; one of a public authority does as well."`
		MeshKey  meshKeyCommand  `cmd:"" name:"mesh-key" help:"Make the mesh key that wraps the customers' keys."`
		VapidKey vapidKeyCommand `cmd:"" name:"vapid-key" help:"Make the key that push services know the mesh by; the same file at every node."`
		Gossip   gossipCommand   `cmd:"" name:"gossip-keyring" help:"Make or rotate the keys that gossip between nodes is encrypted with."`
	} `cmd:"" name:"pki" help:"Certificates and keys."`
	Panel struct {
		Send    sendCommand    `cmd:"" help:"Be a panel: send messages and print what comes back."`
		Load    loadCommand    `cmd:"" help:"Be many panels at a rate, with faults, and say in figures what came of it."`
		Conform conformCommand `cmd:"" help:"Ask a receiver, clause by clause, what the standard demands of it."`
	} `cmd:"" help:"Panels."`
	DC09 struct {
		Decode decodeCommand `cmd:"" help:"Say everything of one frame as JSON."`
		Encode encodeCommand `cmd:"" help:"Make a frame of such JSON, or of flags."`
	} `cmd:"" name:"dc09" help:"Frames of the panel protocol."`
	Bans struct {
		List bansListCommand `cmd:"" help:"Show whom the nodes refuse, why and until when."`
		Lift bansLiftCommand `cmd:"" help:"End the ban of an address; exit 1 when it was not banned."`
	} `cmd:"" help:"Addresses that are banned from the panels' ports."`
	Panels struct {
		Import importCommand `cmd:"" help:"Enter a customer's panels from a CSV file; all rows or none."`
		Watch  watchCommand  `cmd:"" help:"Show each attempt of a panel as it comes, why it was refused and what to do."`
	} `cmd:"" help:"A customer's panels at central."`
	Reconcile reconcileCommand `cmd:"" help:"Have central compare journals, decisions, deliveries and what it shows, now; exit 1 when a fault stands open."`
}

// world is what commands need of the outside.
type world struct {
	ctx         context.Context
	in          io.Reader
	out, errOut io.Writer
	code        int
}

// Run parses and runs one command line and returns the exit code.
func Run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	var c cli
	w := &world{ctx: ctx, in: in, out: out, errOut: errOut}
	exited := -1
	parser, err := kong.New(&c, kong.Name("vedettactl"), kong.UsageOnError(),
		kong.Description("Runs Vedetta on this machine, makes certificates, is a panel, and reads and writes its frames."),
		kong.Writers(out, errOut), kong.Exit(func(code int) { exited = code }))
	if err != nil {
		fmt.Fprintln(errOut, "vedettactl:", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintln(errOut, "vedettactl:", err)
		return exitUsage
	}
	if err := k.Run(w); err != nil {
		fmt.Fprintln(errOut, "vedettactl:", err)
		return exitFault
	}
	return w.code
}

type upCommand struct {
	Data         string        `required:"" help:"Folder of everything; made when missing, kept afterwards."`
	BasePort     int           `default:"7700" help:"First port N; see the table below."`
	JSON         bool          `name:"json" help:"Print one line of JSON when everything is ready."`
	RestartAfter time.Duration `default:"2s" help:"How long a part that died stays down; 0 is allowed."`
	NoRestart    bool          `help:"Leave a part that died down."`
}

// Help adds the port table.
func (upCommand) Help() string { return local.PortHelp }

func (c *upCommand) Run(w *world) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(w.errOut, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return local.Up(w.ctx, local.Options{
		Data: c.Data, BasePort: c.BasePort, JSON: c.JSON, RestartAfter: c.RestartAfter, NoRestart: c.NoRestart, Bin: filepath.Dir(self),
	}, env.Real(log, prometheus.NewRegistry()), w.out, w.errOut)
}

type demoCommand struct {
	Data   string        `default:"run" help:"Folder of the running local mesh."`
	Within time.Duration `default:"30s" help:"How long everything may take."`
}

func (c *demoCommand) Run(w *world) error {
	return local.ShowAlarm(w.ctx, local.DemoOptions{Data: c.Data, Within: c.Within, Send: sendAlarm}, w.out)
}

func sendAlarm(ctx context.Context, to []string, account, key, data string, out io.Writer) int {
	return panel.Send(ctx, panel.Options{To: to, Account: account, Key: "hex:" + key, Token: "SIA-DCS", Seq: 1 + int(time.Now().Unix()%9999), Data: data, Count: 1, Timeout: 5 * time.Second}, out)
}

type sendCommand struct {
	panel.Options
}

func (c *sendCommand) Run(w *world) error {
	w.code = panel.Send(w.ctx, c.Options, w.out)
	return nil
}

type loadCommand struct {
	fleet.Options
}

func (c *loadCommand) Run(w *world) error {
	w.code = fleet.Command(w.ctx, c.Options, w.out, w.errOut)
	return nil
}

type conformCommand struct {
	conform.Options
}

func (c *conformCommand) Run(w *world) error {
	w.code = conform.Command(w.ctx, c.Options, w.out, w.errOut)
	return nil
}

type decodeCommand struct {
	frame.DecodeOptions
}

func (c *decodeCommand) Run(w *world) error {
	w.code = frame.RunDecode(c.DecodeOptions, w.in, w.out, w.errOut)
	return nil
}

type encodeCommand struct {
	frame.EncodeOptions
}

func (c *encodeCommand) Run(w *world) error {
	w.code = frame.RunEncode(c.EncodeOptions, w.in, w.out, w.errOut)
	return nil
}

type bansListCommand struct {
	bans.Nodes
}

func (c *bansListCommand) Run(w *world) error {
	w.code = c.List(w.ctx, w.out, w.errOut)
	return nil
}

type bansLiftCommand struct {
	bans.Lift
}

func (c *bansLiftCommand) Run(w *world) error {
	w.code = c.Lift.Run(w.ctx, w.out, w.errOut)
	return nil
}

type watchCommand struct {
	watch.Options
}

func (c *watchCommand) Run(w *world) error {
	w.code = watch.Run(w.ctx, c.Options, w.out, w.errOut)
	return nil
}

type reconcileCommand struct {
	reconcile.Options
}

func (c *reconcileCommand) Run(w *world) error {
	w.code = reconcile.Run(w.ctx, c.Options, w.out, w.errOut)
	return nil
}

type importCommand struct {
	imports.Options
}

func (c *importCommand) Run(w *world) error {
	w.code = imports.Run(w.ctx, c.Options, w.out, w.errOut)
	return nil
}

type caCommand struct {
	Dir string `arg:"" help:"New folder for the authority's certificate and key."`
}

func (c *caCommand) Run(*world) error { return pki.MakeCA(c.Dir) }

type issueCommand struct {
	CA   string   `name:"ca" required:"" help:"Folder of the authority."`
	Role string   `enum:"node,central,operator" required:"" help:"node, central or operator."`
	Name string   `required:"" help:"Name of the node or person."`
	Site string   `help:"Datacenter of a node."`
	Host []string `help:"Addresses and names it is reached by."`
	Out  string   `required:"" help:"New folder for cert.pem and key.pem."`
}

func (c *issueCommand) Run(*world) error {
	return pki.Issue(c.CA, link.Identity{Name: c.Name, Site: c.Site, Role: c.Role}, c.Host, c.Out)
}

type panelsCommand struct {
	CA   string   `name:"ca" required:"" help:"Folder of the authority; panels that check must know its ca.pem."`
	Host []string `required:"" help:"Names and addresses that panels report to."`
	Out  string   `required:"" help:"New folder for cert.pem and key.pem."`
}

func (c *panelsCommand) Run(*world) error { return pki.IssueForPanels(c.CA, c.Host, c.Out) }

type meshKeyCommand struct {
	File string `arg:"" help:"New file, mode 0600."`
}

func (c *meshKeyCommand) Run(*world) error { return seal.NewMeshKeyFile(c.File) }

type gossipCommand struct {
	File string       `arg:"" help:"The keyring, mode 0600; the same at every node."`
	Step keyring.Step `default:"new" enum:"new,add,use,drop" help:"new: a new file with one key. Rotation: add, use, drop; after each copy the file to every node and reload it (SIGHUP)."`
}

func (c *gossipCommand) Run(w *world) error {
	n, err := keyring.Change(c.File, c.Step)
	if err != nil {
		return err
	}
	next := map[keyring.Step]string{
		keyring.New:  "set mesh.gossip.keyring_file to it at every node",
		keyring.Add:  "copy it to every node and reload each (SIGHUP), then take the step use",
		keyring.Use:  "copy it to every node and reload each (SIGHUP), then take the step drop",
		keyring.Drop: "copy it to every node and reload each (SIGHUP)",
	}
	_, err = fmt.Fprintf(w.out, "%s holds %d of at most 8 keys. Next: %s.\n", c.File, n, next[c.Step])
	return err
}

type vapidKeyCommand struct {
	File string `arg:"" help:"New file, mode 0600. With a lost key every browser must subscribe anew."`
}

func (c *vapidKeyCommand) Run(*world) error { return push.NewKeyFile(c.File) }
