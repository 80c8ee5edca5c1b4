// Reads the time of day in Go's ways, and lets its timers run. Built static: it has no libc that could be preloaded.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

const ahead = 50 * time.Millisecond

func day(what string, at time.Time) { fmt.Println(what, at.UTC().Format("2006-01-02")) }

func waited(what string, wait func()) {
	began := time.Now()
	wait()
	if passed := time.Since(began); passed < ahead-time.Millisecond {
		fmt.Println(what, "took", passed)
		return
	}
	fmt.Println(what, "waited")
}

func main() {
	day("Now", time.Now())
	if len(os.Args) > 1 {
		return
	}
	day("Unix", time.Unix(time.Now().Unix(), 0))
	waited("Sleep", func() { time.Sleep(ahead) })
	waited("Timer", func() { <-time.NewTimer(ahead).C })
	waited("deadline", func() {
		ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(ahead))
		defer cancel()
		<-ctx.Done()
	})
	var group sync.WaitGroup
	days := map[string]int{}
	var lock sync.Mutex
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			at := time.Now().UTC().Format("2006-01-02")
			lock.Lock()
			days[at]++
			lock.Unlock()
		}()
	}
	group.Wait()
	fmt.Println("goroutines", days)
	out, err := exec.Command("/proc/self/exe", "again").Output()
	fmt.Print(string(out))
	if err != nil {
		fmt.Println(err)
	}
}
