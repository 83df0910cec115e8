// The JavaScript example of the background execution guide, unchanged below the
// line. Around it: the base URL that the page would have, the token, which the
// example's last call forgets, and a call of what it defines.
const { BASE_URL, API_TOKEN } = process.env;
const real = globalThis.fetch;
const fetch = (url, options = {}) =>
  real(BASE_URL + url, { ...options, headers: { Authorization: `Bearer ${API_TOKEN}`, ...options.headers } });
await runLongAnalysis();

// ---------------------------------------------------------------------------
// Start background execution
async function startBackgroundAnalysis() {
  const response = await fetch('/execute/start', {
    method: 'POST',
    headers: {
      'Authorization': `Bearer ${API_TOKEN}`,
      'Content-Type': 'application/json'
    },
    body: JSON.stringify({
      command: 'python',
      args: [
        'src/main.py',
        'voice-of-customer',
        '--analysis-type', 'topic-based',
        '--multi-agent',
        '--time-period', 'week',
        '--ai-model', 'openai',
        '--generate-gamma'
      ]
    })
  });
  
  const { execution_id } = await response.json();
  return execution_id;
}

// Poll for status
async function pollStatus(executionId) {
  const pollInterval = 5000; // 5 seconds
  
  while (true) {
    const response = await fetch(`/execute/status/${executionId}`, {
      headers: { 'Authorization': `Bearer ${API_TOKEN}` }
    });
    
    const status = await response.json();
    console.log(`Status: ${status.status} (${status.duration_seconds}s elapsed)`);
    
    if (['completed', 'failed', 'timeout', 'error'].includes(status.status)) {
      return status;
    }
    
    await new Promise(resolve => setTimeout(resolve, pollInterval));
  }
}

// Complete workflow
async function runLongAnalysis() {
  console.log('Starting background analysis...');
  const executionId = await startBackgroundAnalysis();
  
  console.log(`Execution ID: ${executionId}`);
  console.log('Polling for completion...');
  
  const finalStatus = await pollStatus(executionId);
  
  if (finalStatus.status === 'completed') {
    console.log('✅ Analysis completed successfully!');
    // Fetch results
    const results = await fetch(`/execute/output/${executionId}`);
    console.log(await results.json());
  } else {
    console.error(`❌ Analysis failed: ${finalStatus.error_message}`);
  }
}
