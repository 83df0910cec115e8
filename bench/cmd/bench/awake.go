package main

import (
	"errors"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// awake keeps the cores from sleeping while do runs: a process for each that spins,
// of the class that runs only where nobody else wants to. What a question takes
// then is what it costs; without, three quarters of it were what an idle virtual
// machine needs to wake up, once for the question and once for the answer.
func (r *round) awake(do func() error) (err error) {
	for range runtime.NumCPU() {
		c, err := r.spawnSelf(append(os.Environ(), "GOMAXPROCS=1"), "spin")
		if err != nil {
			return err
		}
		defer c.stop()
		defer func() {
			select {
			case <-c.ended:
				err = errors.Join(err, errors.New("a core was not kept awake: "+c.tail()))
			default:
			}
		}()
	}
	return do()
}

// spinFor ends what nobody has ended.
const spinFor = 5 * time.Minute

func spinCommand() *cobra.Command {
	return &cobra.Command{
		Use: "spin", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			runtime.LockOSThread()
			if err := unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_IDLE}, 0); err != nil {
				return err
			}
			for end := time.Now().Add(spinFor); time.Now().Before(end) && cmd.Context().Err() == nil; {
			}
			return nil
		},
	}
}
