package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Exit code of a daemon whose configuration is bad: starting it again is no use.
const exitConfig = 64

// How long a process may take to stop before it is killed.
const stopWithin = 25 * time.Second

// process is one daemon that is started again when it dies.
type process struct {
	name         string
	path         string
	args         []string
	logPath      string
	restartAfter time.Duration
	noRestart    bool
	say          func(format string, args ...any)

	mu  sync.Mutex
	pid int // of the running process, 0 when there is none
}

// PID of the running process, 0 when there is none.
func (p *process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// Run starts the process, and starts it again whenever it dies, until ctx
// ends; then it is asked to stop, and killed when it doesn't.
func (p *process) Run(ctx context.Context) error {
	// A child gets its parent's death signal when the thread that made it
	// ends, so that thread must be ours alone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		err := p.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == exitConfig {
			return fmt.Errorf("%s refuses its configuration; see %s", p.name, p.logPath)
		}
		if err != nil && !errors.As(err, &exit) {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if p.noRestart {
			p.say("%s ended (%v); left down", p.name, err)
			<-ctx.Done()
			return nil
		}
		p.say("%s ended (%v; why: %s); starting it again in %s", p.name, err, p.logPath, p.restartAfter)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(p.restartAfter):
		}
	}
}

func (p *process) once(ctx context.Context) error {
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.path, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	// Its own group: Ctrl-C reaches us alone and we stop things in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.setPID(cmd.Process.Pid)
	defer p.setPID(0)
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		// The process may be gone already; Wait tells.
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(stopWithin):
			_ = cmd.Process.Kill()
		}
	}()
	return cmd.Wait()
}

func (p *process) setPID(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pid = pid
}

// tail returns the last bytes of a log, for an error message.
func tail(path string, n int64) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if end, err := f.Seek(0, io.SeekEnd); err == nil {
		_, err = f.Seek(max(0, end-n), io.SeekStart)
		if err != nil {
			return err.Error()
		}
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
