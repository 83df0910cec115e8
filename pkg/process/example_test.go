package process_test

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/longhaul/longhaul/pkg/process"
)

// The life of one process. The program's main calls process.Main before anything else.
func Example() {
	ctx := context.Background()
	pool := process.NewPool(process.PoolConfig{Slots: 5})
	defer pool.Close(ctx)

	p, err := pool.Start(ctx, process.Command{
		ExecutionID: "exec_1762548673499_vqx7d3cpo",
		Path:        "sh",
		Args:        []string{"-c", "echo working; sleep 1000 & exit 3"},
		Env:         []string{"EXECUTION_ID=exec_1762548673499_vqx7d3cpo", "PATH=" + os.Getenv("PATH")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range []*os.File{p.Stdout(), p.Stderr(), p.Events()} {
		output, _ := io.ReadAll(f) // one after the other will do for so little
		fmt.Print(string(output))
		_ = f.Close()
	}
	exit := p.Exit() // waits until nothing is left, the sleep included
	fmt.Println(exit, "and left", exit.Leftovers)
	// Output:
	// working
	// exited with 3 and left 1
}
