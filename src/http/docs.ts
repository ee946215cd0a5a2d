import express, { Router } from 'express';
import getAbsoluteFSPath from 'swagger-ui-dist/absolute-path.js';

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>ZPack API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
`;

const START = `window.ui = SwaggerUIBundle({ url: '/api/openapi.json', dom_id: '#ui' });\n`;

/**
 * `/api/openapi.json`, the list of problems, and a page at `/docs` to read and try it. The document
 * is made for the first who asks: most nodes never show it, and all of them start.
 */
export function createDocsRouter(describe: () => object, problems: string): Router {
  const router = Router();
  let json: string | undefined;
  router.get('/api/openapi.json', (_, response) => {
    json ??= JSON.stringify(describe());
    response.type('json').send(json);
  });
  router.get('/docs', (_, response) => void response.type('html').send(PAGE));
  // What a problem's `type` points to.
  router.get('/docs/problems', (_, response) => void response.type('md').send(problems));
  router.get('/docs/start.js', (_, response) => void response.type('js').send(START));
  router.use('/docs', express.static(getAbsoluteFSPath(), { index: false }));
  return router;
}
