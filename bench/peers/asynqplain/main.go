// Command asynqplain is the simplest honest use of Echo and Asynq for the same
// work, with Asynq's defaults.
//
//	asynqplain api|worker
//
// In its favour: no record besides Asynq's own, no retry of a wrong command.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"strconv"

	"github.com/hibiken/asynq"
	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"
)

type job struct {
	Cmd  string   `json:"cmd"`
	Args []string `json:"args"`
}

func main() {
	conn, err := asynq.ParseRedisURI(os.Getenv("REDIS_URL"))
	if err != nil {
		log.Fatal(err)
	}
	counters := conn.MakeRedisClient().(redis.UniversalClient)
	if len(os.Args) == 2 && os.Args[1] == "worker" {
		log.Fatal(work(conn, counters))
	}
	log.Fatal(serve(conn, counters))
}

func serve(conn asynq.RedisConnOpt, counters redis.UniversalClient) error {
	tasks := asynq.NewClient(conn)
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.POST("/jobs", func(c echo.Context) error {
		var j job
		if err := c.Bind(&j); err != nil {
			return err
		}
		payload, err := json.Marshal(j)
		if err != nil {
			return err
		}
		info, err := tasks.EnqueueContext(c.Request().Context(), asynq.NewTask("run", payload))
		if err != nil {
			return err
		}
		return c.JSON(http.StatusAccepted, map[string]string{"id": info.ID})
	})
	e.GET("/done", func(c echo.Context) error {
		values, err := counters.MGet(c.Request().Context(), "peer:done", "peer:failed").Result()
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, map[string]int{"done": number(values[0]), "failed": number(values[1])})
	})
	return e.Start("127.0.0.1:" + os.Getenv("PORT"))
}

func number(value any) int {
	text, _ := value.(string) // nil before the first
	n, _ := strconv.Atoi(text)
	return n
}

func work(conn asynq.RedisConnOpt, counters redis.UniversalClient) error {
	concurrency, err := strconv.Atoi(os.Getenv("CONCURRENCY"))
	if err != nil {
		return err
	}
	server := asynq.NewServer(conn, asynq.Config{Concurrency: concurrency, LogLevel: asynq.ErrorLevel})
	return server.Run(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		err := run(ctx, task.Payload())
		if err != nil {
			if err := counters.Incr(ctx, "peer:failed").Err(); err != nil {
				return err
			}
			err = fmt.Errorf("%w: %w", err, asynq.SkipRetry)
		}
		if err := counters.Incr(ctx, "peer:done").Err(); err != nil {
			return err
		}
		return err
	}))
}

func run(ctx context.Context, payload []byte) error {
	var j job
	if err := json.Unmarshal(payload, &j); err != nil {
		return err
	}
	_, err := exec.CommandContext(ctx, j.Cmd, j.Args...).Output()
	return err
}
