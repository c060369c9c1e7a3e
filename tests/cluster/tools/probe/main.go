// What a container of the tests can do without a base image: one static program, and the pause container of pods.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	arguments := append(os.Args[1:], "pause")
	switch what := arguments[0]; what {
	case "pause":
		pause()
	case "say":
		fmt.Println(argument(1))
	case "exit":
		os.Exit(number(argument(1)))
	case "sleep":
		sleep(number(argument(1)))
	case "eat":
		eat(number(argument(1)))
	case "write":
		must(os.WriteFile(argument(1), []byte(argument(2)), 0o644))
	case "read":
		content, err := os.ReadFile(argument(1))
		must(err)
		fmt.Println(string(content))
	case "get":
		get(argument(1))
	case "serve":
		serve(argument(1))
	default:
		fmt.Fprintf(os.Stderr, "unknown: %s\n", what)
		os.Exit(64)
	}
}

// pause waits for the signal to end and collects orphans meanwhile, as the first process of a pod has to.
func pause() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for got := range signals {
		if got != syscall.SIGCHLD {
			return
		}
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
		}
	}
}

// sleep ends early, with 143, when it is told to end.
func sleep(seconds int) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	fmt.Println("sleeping")
	select {
	case <-signals:
		fmt.Println("told to end")
		os.Exit(143)
	case <-time.After(time.Duration(seconds) * time.Second):
	}
}

// eat takes so many MiB of memory, touches every page, and holds them.
func eat(megabytes int) {
	held := make([][]byte, 0, megabytes)
	for range megabytes {
		block := make([]byte, 1<<20)
		for page := 0; page < len(block); page += 4096 {
			block[page] = 1
		}
		held = append(held, block)
	}
	fmt.Printf("holding %d MiB\n", len(held))
}

func get(url string) {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(url)
	must(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(err)
	fmt.Println(answer.StatusCode, string(body))
}

// serve answers every request on a port.
func serve(port string) {
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(answer, "served %s", request.URL.Path)
	})
	must(http.ListenAndServe(":"+port, nil))
}

func argument(at int) string {
	if at >= len(os.Args)-1 {
		fmt.Fprintln(os.Stderr, "an argument is missing")
		os.Exit(64)
	}
	return os.Args[at+1]
}

func number(word string) int {
	value, err := strconv.Atoi(word)
	must(err)
	return value
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
