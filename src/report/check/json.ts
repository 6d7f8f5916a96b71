/** The check document as it is, whole: for programs. */
import type { CheckResult } from '../check-result.js';
import { jsonText } from '../result-json.js';
import { inertJson } from './outside-text.js';

/** The document `spbsim.check/1` as text. Names are never cut here. */
export function renderCheckJson(result: CheckResult): string {
  return inertJson(jsonText(result));
}
