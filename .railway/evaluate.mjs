// Prints what railway.ts, compiled by tsc, describes: for the test of it.
import { createRailwayContext, project } from "railway/iac";

const { default: program } = await import("./out/railway.js");
console.log(JSON.stringify(await program(createRailwayContext({ environmentName: "production" }), project), null, 1));
