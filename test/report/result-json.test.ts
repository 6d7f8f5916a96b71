import { describe, expect, test } from 'vitest';
import { jsonSchema, jsonSchemaFileName } from '../../src/report/json-schema.js';
import { renderResultJson, renderVerifyJson } from '../../src/report/result-json.js';
import { resultSchema } from '../../src/report/result-schema.js';
import type { RunResult } from '../../src/report/run-result.js';
import { verifySchema } from '../../src/report/verify-schema.js';
import { sampleResult } from './sample-result.js';
import { sampleVerify } from './sample-verify.js';

describe('the result document', () => {
  test('is what its schema says', () => {
    expect(resultSchema.parse(JSON.parse(renderResultJson(sampleResult())))).toEqual(sampleResult());
  });

  test('has its keys in the order of the schema, however it was put together', () => {
    const shuffled = Object.fromEntries(Object.entries(sampleResult()).reverse()) as unknown as RunResult;
    expect(renderResultJson(shuffled)).toBe(renderResultJson(sampleResult()));
    expect(Object.keys(JSON.parse(renderResultJson(sampleResult())))).toEqual(
      Object.keys(resultSchema.shape),
    );
  });

  test('has a list of numbers on one line', () => {
    expect(renderResultJson(sampleResult())).toContain('"buddyinfo": [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 3],\n');
  });

  test('an unknown field, a fraction of a page, a missing section are refused', () => {
    const document = sampleResult();
    expect(resultSchema.safeParse({ ...document, extra: 1 }).success).toBe(false);
    expect(resultSchema.safeParse({ ...document, seed: 1.5 }).success).toBe(false);
    expect(resultSchema.safeParse({ ...document, zones: undefined }).success).toBe(false);
  });
});

describe('the verification document', () => {
  test('is what its schema says', () => {
    expect(verifySchema.parse(JSON.parse(renderVerifyJson(sampleVerify())))).toEqual(sampleVerify());
    expect(Object.keys(JSON.parse(renderVerifyJson(sampleVerify())))).toEqual(
      Object.keys(verifySchema.shape),
    );
  });

  test('starts with the figures that a CI job reads', () => {
    const keys = Object.keys(JSON.parse(renderVerifyJson(sampleVerify())));
    expect(keys.slice(0, 5)).toEqual(['schema', 'agreement', 'compared', 'matched', 'first_divergence']);
  });
});

describe('the published schemas', () => {
  test.each(['result', 'verify'] as const)('%s: named, closed, described', (name) => {
    const schema = jsonSchema(name);
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: `spbsim.${name}/1`,
      type: 'object',
      additionalProperties: false,
    });
    expect(jsonSchemaFileName(name)).toBe(`spbsim.${name}-1.json`);
    expect(JSON.stringify(schema)).toContain('"description"');
  });
});
