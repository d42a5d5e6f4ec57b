package stand

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a program that the bench started, and ends by its own id.
type Process struct {
	cmd  *exec.Cmd
	Line string // the first line that it printed, when that was awaited
	done chan error
	rest []byte // what it printed after that; read once done has spoken
}

// Start starts a program with more environment than ours; with a log path its
// output goes there, else its first line is awaited.
func Start(ctx context.Context, environ []string, logPath, path string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(path, args...), done: make(chan error, 1)}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Env = append(os.Environ(), environ...)
	p.cmd.Stderr = os.Stderr
	var first io.Reader
	if logPath != "" {
		f, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		p.cmd.Stdout, p.cmd.Stderr = f, f
	} else {
		var err error
		if first, err = p.cmd.StdoutPipe(); err != nil {
			return nil, err
		}
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	if first == nil {
		go func() { p.done <- p.cmd.Wait() }()
		return p, nil
	}
	line := make(chan string, 1)
	go func() {
		in := bufio.NewReader(first)
		s, err := in.ReadString('\n')
		if err == nil {
			line <- strings.TrimSpace(s)
			p.rest, _ = io.ReadAll(in)
		}
		p.done <- p.cmd.Wait()
	}()
	select {
	case p.Line = <-line:
		return p, nil
	case err := <-p.done:
		p.done <- err
		return nil, fmt.Errorf("%s ended before it was ready: %w", path, err)
	case <-ctx.Done():
	case <-time.After(90 * time.Second):
	}
	return nil, errors.Join(fmt.Errorf("%s was not ready in time", path), ctx.Err(), p.Stop())
}

// Rest is what it printed after its first line; to be asked when it was stopped.
func (p *Process) Rest() string { return strings.TrimSpace(string(p.rest)) }

// PID of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop asks the process to end, and kills it when it doesn't within 40 s.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-p.done:
		p.done <- err
		return err
	case <-time.After(40 * time.Second):
		_ = p.cmd.Process.Kill()
		return fmt.Errorf("process %d did not stop within 40 s of SIGTERM", p.PID())
	}
}

// RSS is the memory of a process that is in use now, in bytes.
func RSS(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmRSS", pid)
}

// CPU is the processor time that a process has used.
func CPU(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, fmt.Errorf("process %d: /proc stat has %d fields", pid, len(f))
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// Written is how many bytes a process has sent to the disk.
func Written(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(line, "write_bytes:"); ok {
			return strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		}
	}
	return 0, fmt.Errorf("process %d has no write_bytes", pid)
}
