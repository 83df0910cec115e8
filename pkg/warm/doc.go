// Package warm keeps engines ready whose catalog entry has the key warm: for each a launcher that has imported the engine's modules, and a
// stock of processes that it forked ahead of time. Keeper.Start gives an execution one of them, or starts it cold and says why.
//
// It decides when a launcher is started, replaced and given up. How a process is forked, watched, ended and proved gone is process's; what
// launcher and worker say to each other is in docs/warm.md, and why it is built so in ADR 0011.
//
// Goroutines: Keeper.Run has one per engine; each launcher has two that read its output and one that waits for its end; each ready process
// has one until it is gone. Close ends and awaits them all.
package warm
