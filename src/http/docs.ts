import express, { Router } from 'express';
import { getAbsoluteFSPath } from 'swagger-ui-dist';

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

/** `/api/openapi.json`, and a page at `/docs` to read and try it. */
export function createDocsRouter(document: object): Router {
  const router = Router();
  const json = JSON.stringify(document);
  router.get('/api/openapi.json', (_, response) => void response.type('json').send(json));
  router.get('/docs', (_, response) => void response.type('html').send(PAGE));
  router.get('/docs/start.js', (_, response) => void response.type('js').send(START));
  router.use('/docs', express.static(getAbsoluteFSPath(), { index: false }));
  return router;
}
